"""Further vision-language models: towers whose LLM reads them in its own way, parameters, positions, what is refused."""

import json
import re
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from conftest import PHOTOGRAPHS  # noqa: E402
from evidence import agree  # noqa: E402
from test_mrope import PICTURES as GRIDS  # noqa: E402
from test_mrope import SECONDS, STARTS, VIDEOS, result  # noqa: E402
from test_vlm import PICTURES  # noqa: E402
from twins import redraw, tokens_of  # noqa: E402
from vlm_twins import TEXT, TOWER, vlm_twin  # noqa: E402

from vistoken import count, plan, registry  # noqa: E402
from vistoken.connector import SecondsPositions  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import ConfigError, UsageError  # noqa: E402
from vistoken.geometry import Patch  # noqa: E402
from vistoken.spec import EncoderSpec, HeadNorm, NoPosition, PlainMlp, RmsNorm  # noqa: E402

# ---------------------------------------------------------------- towers alone


def kosmos2():
    text = {"embed_dim": 16, "layers": 1, "ffn_dim": 8, "attention_heads": 2, "vocab_size": 64}
    config = hf.Kosmos2Config(vision_config=TOWER | {"image_size": 56}, text_config=text, latent_query_num=3)
    return hf.Kosmos2ForConditionalGeneration(config), lambda module: module.vision_model


def git():
    config = hf.GitConfig(vision_config=TOWER | {"image_size": 56}, hidden_size=24, num_hidden_layers=1,
                          num_attention_heads=2, intermediate_size=8, vocab_size=64)  # fmt: skip
    return hf.GitForCausalLM(config), lambda module: module.git.image_encoder


def blip():
    text = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
            "vocab_size": 64, "encoder_hidden_size": 32}  # fmt: skip
    config = hf.BlipConfig(vision_config=TOWER | {"image_size": 56}, text_config=text)
    return hf.BlipForConditionalGeneration(config), lambda module: module.vision_model


@pytest.mark.parametrize("build", [kosmos2, git, blip])
def test_towers_alone_equal_the_reference(build, tmp_path):
    """All tokens of pictures, alone and packed, and Kosmos-2's class token, which its tower norms."""
    module, tower = build()
    redraw(module, seed=3)
    module.eval().save_pretrained(tmp_path)
    processor = hf.CLIPImageProcessorPil(size={"height": 56, "width": 56}, do_center_crop=False)
    processor.save_pretrained(tmp_path)
    for attention in ("sdpa", "reference"):
        encoder = Encoder.from_pretrained(str(tmp_path), attention=attention)
        for picture, packed in zip(PICTURES, encoder.encode(PICTURES), strict=True):
            pixels = processor(images=[picture], return_tensors="pt")["pixel_values"]
            with torch.no_grad():
                wanted = tower(module)(pixels)
            agree(str(tmp_path), "tokens", tokens_of(packed), wanted.last_hidden_state[0], picture.size)
            [alone] = encoder.encode([picture])
            agree(str(tmp_path), "tokens", tokens_of(alone), wanted.last_hidden_state[0], picture.size)
            counted = count(str(tmp_path), width=picture.width, height=picture.height)
            assert (counted.patches, counted.prefix_tokens) == (len(alone.patches), 1)
            if build is kosmos2:
                agree(str(tmp_path), "pooled", alone.pooled, wanted.pooler_output[0], picture.size)


def hunyuan():
    """The model and its processor; a table of 3 x 3 places, a row of which serves no token."""
    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
              "max_image_size": 48, "text_hidden_size": 40}  # fmt: skip
    config = hf.HunYuanVLConfig(vision_config=vision, text_config=TEXT | {"head_dim": 10})
    processor = hf.HunYuanVLImageProcessorPil(min_pixels=64 * 64, max_pixels=32 * 32 * 60)
    return hf.HunYuanVLForConditionalGeneration(config), processor


def test_hunyuans_tower_equals_the_reference(tmp_path):
    """Patches of pictures of many sizes."""
    module, processor = hunyuan()
    redraw(module, seed=4)
    module.eval().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    for picture, ours in zip(PICTURES, Encoder.from_pretrained(str(tmp_path)).encode(PICTURES), strict=True):
        inputs = processor(images=[picture], return_tensors="pt")
        with torch.no_grad():
            wanted = module.model.vision_tower(inputs["pixel_values"], inputs["image_grid_thw"]).last_hidden_state[0]
        agree(str(tmp_path), "tokens", ours.patches, wanted, picture.size)
        assert count(str(tmp_path), width=picture.width, height=picture.height).patches == len(ours.patches)


def test_lighton_in_folders_that_name_mistral(tmp_path):
    """As the published ones do; rows that fill no block are dropped all the same."""
    twin = vlm_twin("lighton-ocr")
    folder = Path(shutil.copytree(twin.folder, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "mistral3"}))
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "LightOnOCRProcessor"}))
    one, other = (Encoder.from_pretrained(str(path)).encode(PICTURES) for path in (folder, twin.folder))
    for ours, theirs in zip(one, other, strict=True):
        assert torch.equal(ours.image_tokens, theirs.image_tokens)


@pytest.mark.parametrize("name", ["lighton-ocr", "exaone4.5", "ernie-4.5-vl", "ovis2", "videollama3-merged"])
def test_planned_parameters_are_those_that_are_built(name):
    twin = vlm_twin(name)
    built = sum(map(torch.numel, Encoder.from_pretrained(twin.folder).module.parameters()))
    assert plan(twin.folder, width=97, height=211).params.total == built


# ---------------------------------------------------------------- parameters of published models

SMALL = {"num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 8,
         "vocab_size": 64}  # fmt: skip
DRAWING = {"base_channels": 32, "channel_multiplier": [1, 1], "num_res_blocks": 1, "projection_dim": 40}
TWO = r"vision_tower|projector|image_newline"
# Model, the library's class, what its config needs besides, and the names of what is encoded.
PUBLISHED = {
    "qwen2.5-omni-7b": ("Qwen2_5OmniThinkerForConditionalGeneration", {}, "visual"),
    "exaone-4.5-33b": ("Exaone4_5_ForConditionalGeneration", {"text_config": SMALL | {"model_type": "exaone4"}}, "visual"),
    "lighton-ocr-1b": ("LightOnOcrForConditionalGeneration", {}, "vision_"),
    "vip-llava-7b": ("VipLlavaForConditionalGeneration", {"vision_feature_layer": [-2, -5, -8, -11, 6]}, TWO),
    "llava-next-video-34b": ("LlavaNextVideoForConditionalGeneration", {}, TWO),
    "video-llava": ("VideoLlavaForConditionalGeneration", {}, r"image_tower|projector"),
    "paddleocr-vl": ("PaddleOCRVLForConditionalGeneration", {}, r"visual|projector"),
    "videollama3-7b": ("VideoLlama3ForConditionalGeneration", {}, r"vision_model|projector"),
    "janus-pro-7b": ("JanusForConditionalGeneration", {"vq_config": DRAWING}, r"vision_model|\.aligner"),
    "deepseek-vl-1.3b": ("DeepseekVLForConditionalGeneration", {}, r"vision_model|aligner"),
    "ovis2-1b": ("Ovis2ForConditionalGeneration", {}, r"vision_tower|visual_embeddings"),
    "kosmos-2": ("Kosmos2ForConditionalGeneration", {}, r"vision_model"),
}  # fmt: skip


def _library(name):
    kind, further, pattern = PUBLISHED[name]
    _, model = registry.published(name)
    config = json.loads(json.dumps(model.config)) | further
    config = config.get("thinker_config", config)
    text = {"embed_dim": 64, "attention_heads": 2, "layers": 1} if name == "kosmos-2" else SMALL
    config["text_config"] = text | config.get("text_config", {})
    model_class = getattr(hf, kind)
    config.pop("model_type", None)
    with torch.device("meta"):
        module = model_class(model_class.config_class(**config))
    return sum(value.numel() for key, value in module.named_parameters() if re.search(pattern, key))


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_of_published_models_equal_the_library(name):
    total, width = plan(name, width=640, height=480).params.total, 896
    indicators = 5 * width if name == "ovis2-1b" else 0  # words that stand for no picture
    assert total == _library(name) - indicators


def test_vip_llavas_published_files_name_one_layer_and_mean_five():
    """The field is LLaVA's; the class has five layers by default, for which the projector is made (arXiv 2312.00784)."""
    spec = registry.find("vip-llava-7b").spec.encoder
    assert spec.connector.layers == (-2, -5, -8, -11, 6)
    assert registry.published("vip-llava-7b")[1].config["vision_feature_layer"] == -2


# ---------------------------------------------------------------- positions in the LLM


def _ids(model, grid, start, video, seconds):
    """The reference's positions of one picture or video behind `start` words."""
    config = model.config
    config.vision_start_token_id, config.audio_start_token_id = 1, 2  # published files name them
    kind = config.video_token_id if video else config.image_token_id
    words = [0] * (start - 1) + [1] + [kind] * grid.patches + [3, 0]
    thw = torch.tensor([[grid.frames, 2 * grid.rows, 2 * grid.cols]])
    where = {"video_grid_thw": thw, "second_per_grids": torch.tensor([seconds])} if video else {"image_grid_thw": thw}
    ids = torch.tensor([words])
    found, _ = model.get_rope_index(ids, attention_mask=torch.ones_like(ids), **where)
    return found[:, 0, start : start + grid.patches]


@pytest.mark.parametrize(("name", "whole"), [("qwen2.5-omni", True), ("qwen3-omni", False)])
def test_positions_of_omni_models(name, whole):
    module = vlm_twin(name).module
    model, positions = getattr(module, "thinker", module), SecondsPositions(25, whole)
    for start in (start for start in STARTS if start):
        for grid in GRIDS:
            assert torch.equal(result(positions, grid).position_ids(start), _ids(model, grid, start, False, 1.0).long())
        for grid in VIDEOS:
            for seconds in SECONDS:
                wanted = _ids(model, grid, start, True, seconds)
                assert torch.allclose(
                    result(positions, grid).position_ids(start, seconds).float(), wanted.float(), rtol=0
                )


# ---------------------------------------------------------------- what is refused


def test_video_llavas_videos_have_a_tower_of_their_own():
    frames = PICTURES[:1] * 2
    encoder = Encoder.from_pretrained(vlm_twin("video-llava").folder)
    for what in ({}, {"what": ["patches"]}):
        with pytest.raises(UsageError, match="are counted, not encoded"):
            encoder.encode_video(frames, **what)


@pytest.mark.parametrize(("name", "values", "message"), [
    ("kimi-k2.5", {"projection_hidden_size": 48}, "projection_hidden_size is 48"),
    ("llama4", {"vision_config": {"intermediate_size": 64}}, "the adapter reads blocks of 2 x 2 patches, 128 numbers"),
    ("llama4", {"vision_config": {"vision_output_dim": 25}}, "must agree"),
    ("llama4", {"vision_config": {"vision_feature_select_strategy": "full"}}, "only 'default'"),
    ("janus", {"vision_config": {"use_qk_norm": True}}, "use_qk_norm is True"),
    ("ovis2", {"vision_config": {"tokenize_function": "gumbel_argmax"}}, "only \"softmax\" is encoded"),
    ("ovis2", {"vision_config": {"num_visual_indicator_tokens": 4}}, "only 5 are encoded"),
    ("ernie-4.5-vl", {"vision_config": {"temporal_merge_size": 4}}, "only pairs of frames"),
    ("exaone4.5", {"vision_config": {"num_key_value_heads": 3}}, "it must divide num_heads, which is 4"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(tmp_path, name, values, message):
    folder = Path(shutil.copytree(vlm_twin(name).folder, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    for key, value in values.items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=message):
        Encoder.from_pretrained(str(folder))


def test_other_blocks_of_videollama3_are_refused(tmp_path):
    folder = Path(shutil.copytree(vlm_twin("videollama3").folder, tmp_path / "model"))
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"merge_size": 3}))
    with pytest.raises(ConfigError, match="merge_size is 3: only 1 and 2 are encoded"):
        Encoder.from_pretrained(str(folder))


def test_heads_of_keys_and_values_must_fit():
    def build(**values):
        return EncoderSpec(patch=Patch.square(14), dim=32, depth=1, heads=4, norm=RmsNorm(1e-6), position=NoPosition(),
                           mlp=PlainMlp(8, "gelu"), **values)  # fmt: skip

    assert build(kv_heads=2).kv_dim == 16
    with pytest.raises(UsageError, match="3 heads of keys and values: they must divide the 4 of queries"):
        build(kv_heads=3)
    with pytest.raises(UsageError, match="one plain matrix"):
        build(kv_heads=2, qkv_norm=HeadNorm(RmsNorm(1e-6)))


def test_files_that_contradict_each_other_on_a_views_tokens_are_refused(tmp_path):
    """The processor writes two places a view, the tower makes five vectors: the LLM could not be fed."""
    folder = shutil.copytree(vlm_twin("idefics2").folder, tmp_path / "model")
    (folder / "processor_config.json").write_text(json.dumps({"image_seq_len": 2}))
    encoder = Encoder.from_pretrained(str(folder))
    with pytest.raises(ConfigError, match=r"the tower makes .* image tokens, and the processor writes .* places"):
        encoder.encode([PHOTOGRAPHS[0]])
    [tower_alone] = encoder.encode([PHOTOGRAPHS[0]], what=["patches"])
    assert len(tower_alone.patches) == sum(view.grid.rows * view.grid.cols for view in tower_alone.views)
