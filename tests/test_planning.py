"""Parameters against the built module and published counts; multiply-adds against torch's counter."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vistoken import registry
from vistoken.errors import ModelError, UsageError
from vistoken.geometry import Patch, Size
from vistoken.planning import bare_encoder, operations, plan

ENCODERS = [m.name for family in registry.families() for m in family.published if registry.describe(m.name).encoder]
# Exact counts of transformers 5.23.0 on meta-device instances, by part: total, patch, position, prefix, blocks, norm,
# head, other, connector. Heads: ViT, DeiT and DINO without pooler and classifier; CLIP with its projection; SigLIP with
# its head.
COUNTS = json.loads((Path(__file__).parent / "data" / "parameters.json").read_text())
# Of timm 1.0.31, written by make_timm_parameters.py.
TIMM = json.loads((Path(__file__).parent / "data" / "timm_parameters.json").read_text())
# Parameters do not depend on it, but some models have no size of their own.
ANY = {"width": 640, "height": 480}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_equal_the_library_by_part(name):
    rows = dict(plan(name, **ANY).params.rows)
    wanted = COUNTS[name]
    parts = ("patch embedding", "position", "prefix", "blocks", "final norm", "pool and head")
    assert [rows.get(part, 0) for part in parts] == wanted["parts"]
    assert rows.get("connector", 0) == wanted.get("connector", 0)
    assert rows.get("mask token", 0) + rows.get("pre-norm", 0) == wanted["other"]
    assert plan(name, **ANY).params.total == wanted["total"]


@pytest.mark.parametrize("name", TIMM)
def test_parameters_of_timms_architectures_equal_timms(name, tmp_path):
    """Read from a folder in timm's form, at full size."""
    values = TIMM[name]
    trained = {"input_size": values["input_size"]}
    config = {
        "architecture": name,
        "pretrained_cfg": trained,
        **{key: values[key] for key in ("num_classes", "global_pool")},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert plan(tmp_path, **ANY).params.total == values["parameters"]


def test_every_architecture_of_timm_is_there_and_belongs_to_one_family():
    read = [name for family in registry.families() if family.timm for name in family.timm.architectures]
    assert sorted(read) == sorted(TIMM)


def test_well_known_totals():
    assert len(COUNTS) >= 45
    assert plan("vit-b16-224").params.total == 85_798_656
    assert plan("siglip-so400m14-384").params.total == 428_225_600


@pytest.mark.parametrize("name", ENCODERS)
def test_parameters_equal_the_built_module_by_part(name):
    """Every built-in model, on the meta device."""
    torch = pytest.importorskip("torch")
    from vistoken.encoding import VisionEncoder

    spec = registry.describe(name).encoder
    with torch.device("meta"):
        module = VisionEncoder(spec)
    built = {}
    for path, parameter in module.named_parameters():
        built[_part(path)] = built.get(_part(path), 0) + parameter.numel()
    planned = {part: value for part, value in plan(name, **ANY).params.rows if value}
    assert planned == built


def _part(path):
    for start, part in (
        ("embed.patch", "patch embedding"), ("embed.stem", "patch embedding"), ("embed.norm", "patch embedding"), ("embed.position", "position"), ("embed.prefix", "prefix"),
        ("embed.class_angles", "position"),
        ("pre_norm", "pre-norm"), ("blocks", "blocks"), ("norm", "final norm"), ("pool", "pool and head"),
        ("mask_token", "mask token"), ("connector", "connector"), ("deepstack", "deepstack"),
    ):  # fmt: skip
        if path.startswith(start):
            return part
    raise AssertionError(path)


# ---------------------------------------------------------------- multiply-adds


def _counted(module, *inputs, **options):
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        module(*inputs, **options)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


@pytest.fixture(scope="module")
def hf():
    pytest.importorskip("torch")
    return pytest.importorskip("transformers")


def _full_size(hf, name):
    """The library's own model with eager attention, on the meta device; and what makes it take other sizes."""
    import torch

    eager, free = {"attn_implementation": "eager"}, {"interpolate_pos_encoding": True}
    with torch.device("meta"):
        match name:
            case "vit-b16-224":
                return hf.ViTModel(hf.ViTConfig(**eager), add_pooling_layer=False), free
            case "deit-b16-224":
                return hf.DeiTModel(hf.DeiTConfig(**eager), add_pooling_layer=False), free
            case "clip-l14-336":
                config = hf.CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24,
                                             num_attention_heads=16, image_size=336, patch_size=14, projection_dim=768, **eager)  # fmt: skip
                return hf.CLIPVisionModelWithProjection(config), free
            case "mlcd-bigg14-336":
                return hf.MLCDVisionModel(hf.MLCDVisionConfig(**eager)), {}
            case "ijepa-h14":
                config = hf.IJepaConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32,
                                        num_attention_heads=16, patch_size=14, **eager)  # fmt: skip
                return hf.IJepaModel(config), free
            case "siglip-so400m14-384":
                config = hf.SiglipVisionConfig(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27,
                                               num_attention_heads=16, image_size=384, patch_size=14, **eager)  # fmt: skip
                return hf.SiglipVisionModel(config), free
            case "dinov2-g14":
                config = hf.Dinov2Config(hidden_size=1536, num_hidden_layers=40, num_attention_heads=24,
                                         image_size=518, use_swiglu_ffn=True, **eager)  # fmt: skip
                return hf.Dinov2Model(config), {}
            case "dinov2-b14-reg":
                return hf.Dinov2WithRegistersModel(
                    hf.Dinov2WithRegistersConfig(image_size=518, patch_size=14, **eager)
                ), {}
            case "dinov3-b16":
                config = hf.DINOv3ViTConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12,
                                            num_register_tokens=4, **eager)  # fmt: skip
                return hf.DINOv3ViTModel(config), {}
            case "aimv2-l14-native":
                return hf.Aimv2VisionModel(hf.Aimv2VisionConfig(is_native=True, use_head=False, **eager)), {}
    raise AssertionError(name)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("name", "input"),
    [
        ("vit-b16-224", "224x224"), ("vit-b16-224", "320x208"),
        ("deit-b16-224", "224x224"), ("deit-b16-224", "256x480"),
        ("clip-l14-336", "336x336"), ("clip-l14-336", "504x280"),
        ("mlcd-bigg14-336", "280x504"), ("ijepa-h14", "280x154"),
        ("siglip-so400m14-384", "384x384"), ("siglip-so400m14-384", "500x300"),
        ("dinov2-g14", "224x224"), ("dinov2-g14", "518x322"),
        ("dinov2-b14-reg", "224x224"), ("dinov2-b14-reg", "700x420"),
        ("dinov3-b16", "224x224"), ("dinov3-b16", "512x336"),
        ("aimv2-l14-native", "224x224"), ("aimv2-l14-native", "639x451"),
    ],
)  # fmt: skip
def test_multiply_adds_equal_torchs_counter(hf, name, input, batch):
    import torch

    module, options = _full_size(hf, name)
    size = Size.parse(input)
    pixels = torch.empty(batch, 3, size.height, size.width, device="meta")
    assert plan(name, input=input, batch=batch).macs.total == _counted(module, pixels, **options)


@pytest.mark.parametrize("grid", [(16, 16), (12, 21)])
def test_multiply_adds_of_naflex_equal_torchs_counter(hf, grid):
    """On the CPU with real tensors, since the library asks for items; shallow, and scaled by its depth."""
    import torch

    config = hf.Siglip2VisionConfig(num_hidden_layers=2, attn_implementation="eager")
    module = hf.Siglip2VisionModel(config).eval()
    rows, cols = grid
    with torch.no_grad():
        counted = _counted(
            module,
            torch.zeros(1, rows * cols, 768),
            torch.ones(1, rows * cols, dtype=torch.int32),
            torch.tensor([grid]),
        )
    steps = plan("siglip2-b16-naflex", input=f"{cols * 16}x{rows * 16}").operations
    blocks = sum(step.macs for step in steps if step.part == "blocks")
    assert sum(step.macs for step in steps) - blocks + blocks * 2 // 12 == counted


# Counted by hand, and confirmed to the unit by torch's operator counter on eager attention.
TRUTHS = [
    ("vit-b16-224", {"head": 1000}, 17_563_828_224),
    ("vit-b16-224", {}, 17_563_060_224),
    ("clip-l14-336", {}, 190_959_894_528),
    ("dinov2-g14", {}, 299_390_066_688),
    ("siglip-so400m14-384", {}, 335_173_224_960),
    ("dinov3-b16", {}, 17_932_142_592),
    ("siglip2-b16-naflex", {"width": 1024, "height": 1024, "max_num_patches": 1024}, 108_119_851_008),
    ("qwen2.5-vl-7b", {"width": 1288, "height": 728}, 3_329_255_178_240),
]


@pytest.mark.parametrize(("name", "options", "macs"), TRUTHS)
def test_known_truths(name, options, macs):
    result = plan(name, **options)
    assert result.macs.total == macs
    assert result.flops.total == 2 * macs


# ---------------------------------------------------------------- laws


@given(
    st.integers(1, 24).map(lambda n: 16 * n), st.integers(1, 24).map(lambda n: 16 * n), st.integers(0, 30),
    st.sampled_from([64, 192, 768]), st.sampled_from([1, 2, 4]), st.integers(1, 9),
)  # fmt: skip
def test_rows_sum_to_totals_and_batches_scale(height, width, depth, dim, heads, batch):
    spec = bare_encoder(patch=Patch.square(16), dim=dim, depth=depth, heads=heads, table=Size(height, width))
    one, many = plan(spec), plan(spec, batch=batch)
    assert many.macs.total == batch * one.macs.total
    assert many.params == one.params
    for tally in (one.params, one.macs, one.flops, one.memory):
        assert tally.total == sum(value for _, value in tally.rows)
    assert one.memory.total == 4 * one.params.total
    assert plan(spec, dtype="bfloat16").memory.total == 2 * one.params.total
    tokens = height * width // 256 + 1
    # The formula of the ViT paper's blocks: 12 D^2 + 2 N D multiply-adds a token and block, with an MLP of 4 D.
    blocks = sum(step.macs for step in operations(spec, [view.grid for view in one.views]) if step.part == "blocks")
    assert blocks == depth * (12 * tokens * dim**2 + 2 * tokens**2 * dim)


def test_a_block_has_12_d_squared_and_13_d_parameters():
    """Not "12 D^2 + 3k", as introductory texts say."""
    rows = dict(plan("vit-b16-224").params.rows)
    assert rows["blocks"] // 12 == 12 * 768**2 + 13 * 768 == 7_087_872


def test_the_published_sovit_figures_hold():
    """Table 1 of arXiv 2305.13035 gives 672 GFLOPs at 384, without the pooling head; FLOPs there are twice the MACs."""
    steps = [step for step in plan("siglip-so400m14-384").operations if step.part != "pool and head"]
    assert 2 * sum(step.macs for step in steps) == pytest.approx(672e9, rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "vit-b16-224", "dtype": "float23"}, "Did you mean float32"),
        ({"model": "vit-b16-224", "batch": 0}, "batch is 0"),
        ({"model": "vit-b16-224", "width": 5}, "both width and height"),
        ({"model": "vit-b16-224", "input": "8x8"}, "smaller than one 16x16 patch"),
        ({"model": "vit-b16-224", "head": -1}, "head is -1"),
    ],
)
def test_wrong_use_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        plan(**arguments)


def test_a_model_without_a_size_given_is_planned_at_its_own():
    """Also where the prompt is written for the views of the model's own rule."""
    assert plan("paligemma-3b-pt-224").tokens == 256
    assert plan("dinov2-b14-reg").tokens == plan("dinov2-b14-reg", width=224, height=224).tokens


def test_what_cannot_be_planned_says_so():
    with pytest.raises(ModelError, match="counted but not planned"):
        plan("gpt-4o")
    with pytest.raises(ModelError, match=r"choose one of Qwen/Qwen2\.5-VL-3B"):
        plan("qwen2.5-vl")


@pytest.mark.parametrize(
    "geometry", [{"heads": 5}, {"dim": 0}, {"depth": -1}, {"heads": 0}, {"patch": Patch.square(300)}, {"mlp": 0}]
)
def test_impossible_geometry_is_refused(geometry):
    plain = {"patch": Patch.square(16), "dim": 768, "depth": 12, "heads": 12, "table": Size(224, 224)}
    with pytest.raises(UsageError):
        bare_encoder(**{**plain, **geometry})
