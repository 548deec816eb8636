"""Towers in front of LLMs: their own tokens, parameter counts of published sizes, names of weights, what is refused."""

import json
import re
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402
from test_vlm import PICTURES  # noqa: E402
from twins import close, tokens_of  # noqa: E402
from vlm_twins import vlm_twin  # noqa: E402

from vistoken import plan, registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import ConfigError, WeightsError  # noqa: E402


@pytest.mark.parametrize("name", ["llava", "llava-layers", "llava-siglip", "gemma3", "paligemma"])
def test_the_towers_own_tokens_equal_the_reference(name):
    twin = vlm_twin(name)
    for picture, result in zip(PICTURES, Encoder.from_pretrained(twin.folder).encode(PICTURES), strict=True):
        with torch.no_grad():
            close(tokens_of(result), twin.patches(twin.module, twin.inputs(picture)))


# ---------------------------------------------------------------- parameters

# Exact counts of transformers 5.23.0's towers alone, by part, from meta-device instances.
PARTS = ("patch embedding", "position", "prefix", "pre-norm", "blocks", "final norm", "pool and head")
TOWERS = {
    "llava-1.5-7b": (602_112, 590_848, 1_024, 2_048, 302_309_376, 2_048, 0),
    "llava-v1.6-34b": (602_112, 590_848, 1_024, 2_048, 302_309_376, 2_048, 0),
    "llava-onevision-7b": (678_528, 839_808, 0, 0, 26 * 15_239_504, 2_304, 0),
    "idefics3": (678_528, 778_752, 0, 0, 411_466_608, 2_304, 0),
    "gemma-3-4b": (678_528, 4_718_592, 0, 0, 411_466_608, 2_304, 0),
    "gemma-4-e2b": (589_824, 15_728_640, 0, 0, 151_046_144, 0, 0),
    "gemma-4-31b": (884_736, 23_592_960, 0, 0, 545_070_384, 0, 0),
}


@pytest.mark.parametrize("name", TOWERS)
def test_parameters_of_published_towers_by_part(name):
    rows = dict(plan(name, width=640, height=480).params.rows)
    assert tuple(rows.get(part, 0) for part in PARTS) == TOWERS[name]


def _whole(name):
    """The library's own model on the meta device: the built-in config, with an LLM of the same width and one block."""
    _, model = registry.published(name)
    config = json.loads(json.dumps(model.config))
    text = {"num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 8,
            "vocab_size": 64, "pad_token_id": 0} | config["text_config"]  # fmt: skip
    config = hf.CONFIG_MAPPING[config["model_type"]](**config | {"text_config": text})
    with torch.device("meta"):
        return hf.AutoModelForImageTextToText.from_config(config)


@pytest.mark.parametrize("name", [
    "llava-1.5-7b", "llava-1.5-13b", "llava-v1.6-34b", "llava-onevision-0.5b", "idefics3", "smolvlm1-500m", "smolvlm",
    "smolvlm-256m", "gemma-3-27b", "gemma-4-e4b", "gemma-4-26b-a4b",
])  # fmt: skip
def test_parameters_with_the_connector_equal_the_library(name):
    parameters = {key: value.numel() for key, value in _whole(name).named_parameters()}
    beside = re.compile(r"language_model|text_model|lm_head|audio")
    rows = dict(plan(name, width=640, height=480).params.rows)
    assert sum(rows.values()) == sum(count for key, count in parameters.items() if not beside.search(key))
    connector = re.compile(r"projector|connector|embed_vision|image_newline")
    assert rows["connector"] == sum(count for key, count in parameters.items() if connector.search(key))


# ---------------------------------------------------------------- weights

SPELLINGS = {
    "with vision_model": lambda key: re.sub(r"^vision_tower\.", "vision_tower.vision_model.", key),
    "below model": lambda key: "model." + key,
    "both": lambda key: "model." + re.sub(r"^vision_tower\.", "vision_tower.vision_model.", key),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ["llava", "llava-next", "llava-onevision", "gemma3", "aya-vision"])
def test_other_spellings_of_the_names_load_alike(tmp_path, name, spelling):
    twin = vlm_twin(name)
    folder = Path(shutil.copytree(twin.folder, tmp_path / "model"))
    tensors = {SPELLINGS[spelling](key): value for key, value in load_file(folder / "model.safetensors").items()}
    if spelling == "with vision_model" and name.startswith("llava"):
        tensors["vision_tower.vision_model.embeddings.position_ids"] = torch.arange(5)  # older files store it
    save_file(tensors, folder / "model.safetensors")
    [one], [other] = (Encoder.from_pretrained(str(f)).encode(PICTURES[:1]) for f in (folder, twin.folder))
    assert torch.equal(one.image_tokens, other.image_tokens)


def test_a_missing_projector_is_named_as_published(tmp_path):
    folder = Path(shutil.copytree(vlm_twin("gemma3").folder, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["multi_modal_projector.mm_soft_emb_norm.weight"], tensors["vision_tower.post_layernorm.bias"]
    save_file(tensors, folder / "model.safetensors")
    missing = r"2 missing: vision_tower\.vision_model\.post_layernorm\.bias, multi_modal_projector\.mm_soft_emb_norm"
    with pytest.raises(WeightsError, match=missing):
        Encoder.from_pretrained(str(folder))


# ---------------------------------------------------------------- what the families add


@pytest.mark.parametrize("crops", [1, 3])
def test_gemma_3_with_crops_equals_the_reference(crops):
    settings = {"do_pan_and_scan": True, "pan_and_scan_min_crop_size": 16, "pan_and_scan_max_num_crops": crops,
                "pan_and_scan_min_ratio_to_activate": 1.2}  # fmt: skip
    twin = vlm_twin("gemma3")
    results = Encoder.from_pretrained(twin.folder, **settings).encode(PICTURES)
    for picture, result in zip(PICTURES, results, strict=True):
        inputs = twin.processor(images=[picture], return_tensors="pt", **settings)
        with torch.no_grad():
            close(result.image_tokens, twin.features(twin.module, inputs))
    assert max(len(result.grids) for result in results) == 1 + crops


def test_clamps_of_gemma_4_matter(tmp_path):
    """With bounds that are wide open the same weights give other tokens."""
    folder = Path(shutil.copytree(vlm_twin("gemma4").folder, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    bounds = [key for key in tensors if key.endswith(("_min", "_max"))]
    assert len(bounds) == 3 * 7 * 4
    tensors |= {key: torch.tensor(float("-inf" if key.endswith("_min") else "inf")) for key in bounds}
    save_file(tensors, folder / "model.safetensors")
    [one], [other] = (Encoder.from_pretrained(str(f)).encode(PICTURES[:1]) for f in (folder, vlm_twin("gemma4").folder))
    assert (one.image_tokens - other.image_tokens).abs().max() > 0.1


def test_pictures_that_lose_all_rows_to_their_padding_equal_the_reference():
    from PIL import Image

    thin = [Image.new("RGB", size, (200, 30, 90)) for size in ((400, 3), (3, 400))]
    for name in ("llava-next", "llava-onevision"):
        twin = vlm_twin(name)
        for picture, result in zip(thin, Encoder.from_pretrained(twin.folder).encode(thin), strict=True):
            with torch.no_grad():
                close(result.image_tokens, twin.features(twin.module, twin.inputs(picture)))


def _changed(tmp_path, name, **values):
    folder = Path(shutil.copytree(vlm_twin(name).folder, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    for key, value in values.items():
        if isinstance(value, dict):
            config[key] |= value
        else:
            config[key] = value
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("llava", {"vision_feature_select_strategy": "full"}, "the tower has a class token.*only 'default'"),
        ("llava-siglip", {"vision_feature_select_strategy": "default"}, "no class token that could be dropped"),
        ("llava", {"vision_feature_layer": 4}, "must name one hidden state from -4 to 3"),
        ("llava", {"vision_feature_layer": []}, "must name one hidden state from"),
        ("llava", {"text_config": {"hidden_size": 0}}, r"text_config\.hidden_size is 0"),
        ("gemma3", {"mm_tokens_per_image": 9}, "its root must divide both sides of 4 x 4"),
        ("gemma4", {"vision_config": {"head_dim": 8}}, "head_dim is 8: only 16 is encoded"),
        ("gemma4", {"vision_config": {"num_key_value_heads": 1}}, "num_key_value_heads is 1: only 2 is encoded"),
        ("gemma4", {"vision_config": {"rope_parameters": {"rope_type": "yarn"}}}, "rope_type is 'yarn'"),
        ("idefics3", {"vision_config": {"image_size": [42, 56]}}, "the table of positions must be square"),
        ("idefics2", {"perceiver_config": {"num_key_value_heads": 3}}, "it must divide the 4 heads of the queries"),
        ("paligemma", {"vision_config": {"model_type": "clip_vision_model"}}, "only SigLIP's tower"),
        ("lfm2-vl", {"vision_config": {"model_type": "siglip_vision_model"}}, "only SigLIP 2's NaFlex tower"),
        ("lfm2-vl", {"vision_config": {"num_patches": 8}}, "the position table must be a square"),
        ("lfm2-vl", {"vision_config": {"patch_size": 8}}, "encoder_patch_size is 16: config.json says 8"),
        ("lfm2-vl", {"downsample_factor": 4}, "downsample_factor is 2: config.json says 4"),
        ("aya-vision", {"alignment_intermediate_size": 47}, "one half gates the other: it must be even"),
        ("aya-vision", {"vision_feature_select_strategy": "default"}, "no class token: only 'full'"),
        ("aya-vision", {"vision_feature_layer": [-1, 0]}, "must name one hidden state from -4 to 3"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, name, values, message):
    folder = _changed(tmp_path, name, **values)
    with pytest.raises(ConfigError, match=message):
        Encoder.from_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "vision", "patch"),
    [
        ("paligemma", {"hidden_size": 48, "image_size": 112}, 16),
        ("aya-vision", {"hidden_size": 48, "image_size": 112}, 16),
        ("paligemma", None, 14),  # Aya's class assumes heads there that do not divide its width
    ],
)
def test_a_vision_config_is_completed_by_its_own_class(name, vision, patch, tmp_path):
    """The model's class assumes another tower only where the file has no vision config at all."""
    folder = Path(shutil.copytree(vlm_twin(name).folder, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vision_config": vision}))
    theirs, spec = hf.AutoConfig.from_pretrained(folder).vision_config, registry.find(str(folder)).spec
    assert spec.encoder.patch.height == spec.rule.patch.height == theirs.patch_size == patch
    ours = (spec.encoder.dim, spec.encoder.depth, spec.encoder.heads, spec.encoder.mlp.hidden)
    assert ours == (
        theirs.hidden_size, theirs.num_hidden_layers, theirs.num_attention_heads, theirs.intermediate_size
    )  # fmt: skip


def test_a_latent_lies_in_the_whole_view():
    [result] = Encoder.from_pretrained(vlm_twin("idefics2").folder).encode(PICTURES[:1])
    boxes = list(result.token_boxes())
    assert len(boxes) == 5 * len(result.views) == 25
    for number, view in enumerate(result.views):
        patches = list(view.boxes())
        for box in boxes[5 * number : 5 * number + 5]:
            assert (box.left, box.top) == (patches[0].left, patches[0].top)
            assert (box.right, box.bottom) == (patches[-1].right, patches[-1].bottom)
