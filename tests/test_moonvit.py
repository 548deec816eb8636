"""Kimi-VL, of which transformers has no class: the tower of Kimi-K2.5 under Kimi-VL's names, at one frame."""

import json
import re
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from evidence import agree  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from test_vlm import PICTURES  # noqa: E402
from test_written_back import check_written_back  # noqa: E402
from vlm_twins import OwnViews, loose_patches, vlm_twin  # noqa: E402

from vistoken import count  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import UsageError  # noqa: E402

PROJECTOR = {"mm_projector.proj.0": "multi_modal_projector.linear_1", "mm_projector.proj.2": "multi_modal_projector.linear_2",
             "mm_projector.pre_norm": "multi_modal_projector.pre_norm"}  # fmt: skip


@pytest.fixture
def kimi_vl(tmp_path):
    """A folder as the vendor writes it."""
    twin = vlm_twin("kimi-k2.5")
    given = json.loads(twin.module.config.to_json_string())
    vision, text = given["vision_config"], given["text_config"]
    names = {"pos_emb_height": "init_pos_emb_height", "pos_emb_width": "init_pos_emb_width"}
    vision = {names.get(key, key): value for key, value in vision.items()} | {"model_type": "moonvit"}
    config = {"model_type": "kimi_vl", "vision_config": vision, "text_config": {"hidden_size": text["hidden_size"]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"in_token_limit": 300, "pad_input": True}))
    tensors = {}
    for name, tensor in load_file(f"{twin.folder}/model.safetensors").items():
        for theirs, ours in PROJECTOR.items():
            name = name.replace(theirs, ours)
        tensors[re.sub(r"encoder\.patch_embed", "patch_embed", name)] = tensor
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


def test_the_same_weights_give_the_same_tokens_under_both_names(kimi_vl):
    k25 = Encoder.from_pretrained(vlm_twin("kimi-k2.5").folder)
    vl = Encoder.from_pretrained(str(kimi_vl))
    generator = torch.Generator().manual_seed(3)
    images = [torch.randn(3, *size, generator=generator) for size in ((56, 84), (28, 140), (84, 28))]
    what = ["patches", "image_tokens"]
    # The norm before the projector has another eps in the small model of K2.5.
    for one, other in zip(vl.encode_pixels(images, what=what), k25.encode_pixels(images, what=what), strict=True):
        agree(
            str(kimi_vl),
            "tokens",
            one.patches,
            other.patches,
            (28 * one.grids[0].cols // 2, 28 * one.grids[0].rows // 2),
            form="Kimi-VL's",
            against="its names on Kimi-K2.5's weights",
            tolerance=0,
        )
        assert torch.allclose(one.image_tokens, other.image_tokens, atol=2e-3 * other.image_tokens.abs().max().item())


def test_kimi_vl_equals_the_reference_on_its_own_views(kimi_vl, monkeypatch):
    twin = vlm_twin("kimi-k2.5")
    monkeypatch.setattr(twin.module.model.mm_projector.pre_norm, "eps", 1e-5)  # fixed in the vendor's code
    processor = OwnViews({}, loose_patches)
    processor.folder = str(kimi_vl)
    for picture, result in zip(PICTURES, Encoder.from_pretrained(str(kimi_vl)).encode(PICTURES), strict=True):
        with torch.no_grad():
            wanted = twin.features(twin.module, processor(images=[picture], return_tensors="pt"))
        agree(str(kimi_vl), "image tokens", result.image_tokens, wanted, picture.size)


def test_published_names_of_k25_load_as_those_that_the_library_writes(tmp_path):
    folder = Path(shutil.copytree(vlm_twin("kimi-k2.5").folder, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    published = {
        name.replace("encoder.patch_embed", "patch_embed").removeprefix("model."): tensors[name] for name in tensors
    }
    assert {"vision_tower.patch_embed.proj.weight", "mm_projector.pre_norm.weight"} <= set(published)
    save_file(published, folder / "model.safetensors")
    [one], [other] = (
        Encoder.from_pretrained(path).encode(PICTURES[:1]) for path in (str(folder), vlm_twin("kimi-k2.5").folder)
    )
    assert torch.equal(one.image_tokens, other.image_tokens)


def test_lengths_are_those_that_are_counted(kimi_vl):
    for picture, result in zip(PICTURES, Encoder.from_pretrained(str(kimi_vl)).encode(PICTURES), strict=True):
        counted = count(str(kimi_vl), width=picture.width, height=picture.height)
        assert (len(result.patches), len(result.image_tokens)) == (counted.patches, counted.image_tokens)


def test_weights_written_back_equal_the_file(kimi_vl):
    check_written_back(str(kimi_vl))


def test_videos_of_k25_are_refused():
    encoder = Encoder.from_pretrained(vlm_twin("kimi-k2.5").folder)
    with pytest.raises(UsageError, match="counted, not encoded"):
        encoder.encode_video([PICTURES[4]] * 8, fps=2)
