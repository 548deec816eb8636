"""Towers of Qwen's models: published sizes by part, the resized position table, and deepstack."""

import json
from pathlib import Path

import pytest

from vistoken import registry
from vistoken.errors import ConfigError
from vistoken.planning import plan

# By part of each tower: patches, positions, blocks, merger, deepstack. Counted by PyTorch on meta-device instances of
# transformers 5.23.0's towers with the published vision configs.
LARGE, SMALL = (1_770_624, 2_654_208, 411_466_608), (1_573_888, 2_359_296, 302_309_376)
COUNTS = {
    "qwen3-vl-2b": (*SMALL, 25_174_016, 75_540_480),
    "qwen3-vl-4b": (*SMALL, 27_271_680, 81_833_472),
    "qwen3-vl-8b": (*LARGE, 40_119_040, 120_377_856),
    "qwen3-vl-32b": (*LARGE, 44_838_656, 134_536_704),
    "qwen3-vl-30b-a3b": (*LARGE, 30_679_808, 92_060_160),
    "qwen3-vl-235b-a22b": (*LARGE, 40_119_040, 120_377_856),
    "qwen2-vl-2b": (1_505_280, 0, 629_678_080, 34_087_936, 0),
    "qwen2-vl-7b": (1_505_280, 0, 629_678_080, 44_575_744, 0),
    "qwen2-vl-72b": (1_505_280, 0, 629_678_080, 68_173_312, 0),
    "qwen2.5-vl-3b": (1_505_280, 0, 630_470_400, 36_708_608, 0),
    "qwen2.5-vl-7b": (1_505_280, 0, 630_470_400, 44_574_464, 0),
    "qwen2.5-vl-32b": (1_505_280, 0, 634_896_384, 52_440_320, 0),
    "qwen2.5-vl-72b": (1_505_280, 0, 634_896_384, 68_172_032, 0),
}
PARTS = ("patch embedding", "position", "blocks", "connector", "deepstack")


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_of_published_towers_by_part(name):
    params = plan(name, width=224, height=224).params
    rows = dict(params.rows)
    assert tuple(rows.get(part, 0) for part in PARTS) == COUNTS[name]
    assert params.total == sum(COUNTS[name])


@pytest.mark.parametrize("name", ["qwen3-vl-2b", "qwen3-vl-8b", "qwen2.5-vl-7b"])
def test_parameters_equal_a_tower_of_the_reference(name):
    torch, hf = pytest.importorskip("torch"), pytest.importorskip("transformers")
    values = next(m for f in registry.families() for m in f.published if name in m.names).config["vision_config"]
    config, tower = {
        "qwen3": (hf.Qwen3VLVisionConfig, hf.Qwen3VLVisionModel),
        "qwen2": (hf.models.qwen2_5_vl.configuration_qwen2_5_vl.Qwen2_5_VLVisionConfig,
                  hf.models.qwen2_5_vl.modeling_qwen2_5_vl.Qwen2_5_VisionTransformerPretrainedModel),
    }[name[:5]]  # fmt: skip
    with torch.device("meta"):
        module = tower(config(**values))
    assert sum(parameter.numel() for parameter in module.parameters()) == sum(COUNTS[name])


@pytest.mark.parametrize("name", ["Qwen/Qwen3-VL-30B-A3B-Instruct", "Qwen/Qwen3-VL-4B-Thinking"])
def test_published_configs_agree_with_what_is_built_in(name):
    seen = json.loads((Path(__file__).parent / "data" / "published.json").read_text())
    vision = seen[name]["config.json"]["values"]["vision_config"]
    published = next(m for f in registry.families() for m in f.published if name in m.names)
    built_in = published.config["vision_config"]
    assert {field: vision[field] for field in built_in} == built_in
    spec = registry.describe(name).encoder
    assert (spec.heads, spec.position.rows) == (vision["num_heads"], 48)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_position_embeddings", 2300, "must be a square number"),
        ("deepstack_visual_indexes", [16, 8, 24], "must be an ascending list of block numbers from 0 to 26"),
        ("deepstack_visual_indexes", [27], "must be an ascending list of block numbers from 0 to 26"),
        ("num_heads", 7, "it must divide vision_config.hidden_size, which is 1152"),
        ("rope_parameters", {"rope_type": "yarn"}, "known are axial"),
    ],
)
def test_impossible_values_are_refused_with_their_field(tmp_path, field, value, message):
    config = {"model_type": "qwen3_vl", "vision_config": {field: value}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=message) as caught:
        _ = registry.describe(str(tmp_path)).encoder
    assert field in str(caught.value)


# ---------------------------------------------------------------- the position table


@pytest.mark.parametrize(
    ("rows", "cols"), [(48, 48), (2, 2), (1, 1), (1, 9), (9, 1), (30, 44), (80, 46), (47, 49), (100, 2), (2, 96)]
)
def test_the_table_is_resized_as_the_reference_weighs_it(rows, cols):
    torch = pytest.importorskip("torch")
    weigh = pytest.importorskip("transformers.vision_utils").get_vision_interpolation_indices_and_weights
    from vistoken.encoding.positions import resize_table
    from vistoken.geometry import Grid
    from vistoken.towers.qwen3_vl import RESIZE

    table = torch.randn(48 * 48, 24, generator=torch.Generator().manual_seed(1))
    indices, weights = weigh(torch.tensor([[1, rows, cols]]), num_grid_per_side=48, align_corners=True)
    wanted = (table[indices] * weights[:, :, None]).sum(1)
    resized = resize_table(table, 48, 48, Grid(rows, cols), RESIZE)
    assert (resized - wanted).abs().max() <= 2e-5
    if (rows, cols) == (48, 48):
        assert torch.equal(resized, table)


# ---------------------------------------------------------------- deepstack


def test_deepstack_equals_the_reference_alone_and_packed():
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from test_vlm import PICTURES
    from twins import close
    from vlm_twins import vlm_twin

    from vistoken.encoding import Encoder

    twin = vlm_twin("qwen3-vl")
    encoder = Encoder.from_pretrained(twin.folder)
    for picture, packed in zip(PICTURES, encoder.encode(PICTURES), strict=True):
        inputs = twin.inputs(picture)
        with torch.no_grad():
            out = twin.module.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"])
        [alone] = encoder.encode([picture], what=["image_tokens"])
        assert len(out.deepstack_features) == len(alone.deepstack) == len(packed.deepstack) == 2
        for number, [wanted] in enumerate(out.deepstack_features):
            close(alone.deepstack[number], wanted)
            close(packed.deepstack[number], wanted)
    [without] = encoder.encode(PICTURES[:1], what=["patches"])
    assert without.deepstack == ()
