"""DINOv3 and AIMv2: what their files may hold besides the names that the twins are saved under, and their pixels."""

import json
import re
import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from conftest import PHOTOGRAPHS  # noqa: E402
from PIL import Image  # noqa: E402
from plain import pixels_of  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from twins import close, tokens_of, twin  # noqa: E402

from vistoken import registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.encoding.prepared import of_picture  # noqa: E402
from vistoken.errors import ConfigError, WeightsError  # noqa: E402


def copy_of(name, tmp_path, edit=lambda tensors: tensors, **values):
    """A copy of a twin with other tensors, and other values in its config."""
    folder = tmp_path / name
    shutil.copytree(twin(name).folder, folder)
    config = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value != "gone"}))
    save_file(edit(load_file(folder / "model.safetensors")), folder / "model.safetensors")
    return str(folder)


def same(one, other):
    image = torch.randn(3, 48, 40, generator=torch.Generator().manual_seed(3))
    [a], [b] = (Encoder.from_pretrained(folder).encode_pixels([image]) for folder in (one, other))
    assert torch.equal(tokens_of(a), tokens_of(b))
    assert (a.pooled is None) == (b.pooled is None)
    assert a.pooled is None or torch.equal(a.pooled, b.pooled)


# ---------------------------------------------------------------- DINOv3


def test_names_of_the_newer_module_tree_load_alike(tmp_path):
    def newer(tensors):
        return {f"model.{name}" if name.startswith("layer.") else name: tensor for name, tensor in tensors.items()}

    same(copy_of("dinov3-gated", tmp_path, newer), twin("dinov3-gated").folder)


def test_without_registers_the_file_holds_an_empty_tensor():
    tensors = load_file(f"{twin('dinov3-no-bias').folder}/model.safetensors")
    assert tensors["embeddings.register_tokens"].shape == (1, 0, 48)
    assert Encoder.from_pretrained(twin("dinov3-no-bias").folder).module.spec.prefix_tokens == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"key_bias": True}, "key_bias is True"),
        ({"value_bias": False}, "value_bias is False: it must equal query_bias, which is True"),
        ({"query_bias": False}, "value_bias is True: it must equal query_bias, which is False"),
        ({"rope_theta": 1.0}, "rope_theta is 1.0"),
    ],
)
def test_what_was_never_published_is_refused(tmp_path, values, message):
    with pytest.raises(ConfigError, match=message):
        Encoder.from_pretrained(copy_of("dinov3-registers", tmp_path, **values))


def test_biases_that_the_config_denies_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"6 unknown: .*q_proj\.bias"):
        Encoder.from_pretrained(copy_of("dinov3-registers", tmp_path, query_bias=False, value_bias=False))


def test_pixels_are_within_one_step_of_the_reference():
    """DINOv3ViTImageProcessor resizes numbers from 0 to 1, with torch's antialiased bilinear kernel, then normalises.

    Written out here, since the class exists only with torchvision, whose `resize` calls this kernel.
    """
    spec = registry.describe("dinov3-b16")
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    for path in PHOTOGRAPHS:
        picture = Image.open(path).convert("RGB")
        image = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).reshape(*picture.size[::-1], 3)
        wanted = F.interpolate(image.permute(2, 0, 1)[None] / 255, size=(224, 224), mode="bilinear", antialias=True)[0]
        mine = pixels_of(of_picture(picture, path.name, spec, None, picture.width * picture.height), spec)
        assert ((mine - (wanted - mean) / std) * std).abs().max() <= 1.001 / 255


# ---------------------------------------------------------------- AIMv2

VENDOR = {  # of transformers' script convert_aimv2_original_pytorch_to_hf.py
    r"embeddings\.patch_embed\.": "preprocessor.patchifier.proj.",
    r"embeddings\.rms_norm\.": "preprocessor.patchifier.norm.",
    r"embeddings\.position_embedding\.weight": "preprocessor.pos_embed",
    r"encoder\.layers\.(\d+)\.attention\.out_proj": r"trunk.blocks.\1.attn.proj",
    r"encoder\.layers\.(\d+)\.ffn\.gate_proj": r"trunk.blocks.\1.mlp.fc1",
    r"encoder\.layers\.(\d+)\.ffn\.down_proj": r"trunk.blocks.\1.mlp.fc2",
    r"encoder\.layers\.(\d+)\.ffn\.up_proj": r"trunk.blocks.\1.mlp.fc3",
    r"encoder\.layers\.(\d+)\.rms_norm": r"trunk.blocks.\1.norm_",
    r"^((?:vision_model\.)?)rms_norm": r"\1trunk.post_trunk_norm",
    r"head\.([kv])_proj": r"head.\1",
    r"head\.output_proj": "head.linear",
    r"visual_projection": "image_projector",
    r"^vision_model\.": "image_encoder.",
}


def vendors(tensors):
    """The same tensors as the vendor writes them: q, k and v in one, positions with a leading axis."""
    tensors, renamed = dict(tensors), {}
    for name in [name for name in tensors if name.endswith("q_proj.weight") and not name.startswith("text")]:
        parts = [tensors.pop(name.replace("q_proj", f"{part}_proj")) for part in "qkv"]
        tensors[re.sub(r"encoder\.layers\.(\d+)\.attention\.q_proj", r"trunk.blocks.\1.attn.qkv", name)] = torch.cat(
            parts
        )
    for name, tensor in tensors.items():
        for pattern, new in VENDOR.items() if not name.startswith("text") else ():
            name = re.sub(pattern, new, name)
        renamed[name] = tensor[None] if name.endswith("pos_embed") else tensor
    return renamed


@pytest.mark.parametrize("name", ["aimv2", "aimv2-native", "aimv2-lit"])
def test_the_vendors_names_load_alike(tmp_path, name):
    same(copy_of(name, tmp_path, vendors), twin(name).folder)


def test_the_vendors_own_config_is_flat_and_has_no_head(tmp_path):
    folder = copy_of("aimv2", tmp_path, vendors, model_type="aimv2", use_head="gone", use_bias=False)
    same(folder, twin("aimv2").folder)


def test_whole_and_in_parts_at_once_is_refused(tmp_path):
    def both(tensors):
        return vendors(tensors) | {name: tensor for name, tensor in tensors.items() if "q_proj" in name}

    with pytest.raises(WeightsError, match=r"3 unknown: .*the same as"):
        Encoder.from_pretrained(copy_of("aimv2", tmp_path, both))


@pytest.mark.parametrize("name", ["qkv_bias", "mlp_bias", "use_bias"])
def test_biases_are_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=f"{name} is True: no published model has such biases"):
        Encoder.from_pretrained(copy_of("aimv2", tmp_path, **{name: True}))


def test_the_head_is_there_by_choice_too():
    t = twin("aimv2-lit")
    image = torch.randn(3, 32, 32)
    own, chosen = (Encoder.from_pretrained(t.folder, pool=pool) for pool in ("own", "attention"))
    assert own.module.pooled_dim == 20
    close(chosen.encode_pixels([image])[0].pooled, own.encode_pixels([image])[0].pooled, 1e-6)
