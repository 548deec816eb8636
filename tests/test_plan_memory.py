"""Planned memory against a count of live storages: transformers' models with shape-only tensors, our encoder for real."""

from dataclasses import replace

import pytest

from vistoken.errors import UsageError
from vistoken.geometry import Grid, Patch, Size
from vistoken.planning import allowance, bare_encoder, plan

MODELS = {
    "ViT": ("vit-b16-224", {"head": 1000}),
    "CLIP": ("clip-b16", {}),
    "DINOv2": ("dinov2-b14", {"input": "224x224"}),
    "SigLIP": ("siglip-b16-224", {}),
}
BATCHES = [pytest.param(1), pytest.param(8, marks=pytest.mark.slow), pytest.param(64, marks=pytest.mark.slow)]


@pytest.fixture
def hf():
    return pytest.importorskip("transformers")


@pytest.fixture
def cast_softmax(monkeypatch):
    pytest.importorskip("torch")
    softmax_as_on_cuda(monkeypatch)


def softmax_as_on_cuda(monkeypatch):
    """Under autocast softmax gives float32, as on CUDA (`ATen/autocast_mode.h`); a CPU leaves it alone."""
    import torch

    plain = torch.nn.functional.softmax

    def softmax(x, dim=None, dtype=None, **options):
        return plain(x, dim, dtype=torch.float32 if torch.is_autocast_enabled("cpu") else dtype, **options)

    monkeypatch.setattr(torch.nn.functional, "softmax", softmax)


def _module(family, engine):
    """The library's own model of that size, with weights that have a shape alone."""
    import transformers as hf
    from transformers.initialization import no_init_weights

    attention = {"attn_implementation": {"fused": "sdpa", "eager": "eager"}[engine]}
    with no_init_weights():
        match family:
            case "ViT":
                return hf.ViTForImageClassification(hf.ViTConfig(num_labels=1000, **attention))
            case "CLIP":
                config = hf.CLIPVisionConfig(patch_size=16, projection_dim=512, **attention)
                return hf.CLIPVisionModelWithProjection(config)
            case "DINOv2":
                return hf.Dinov2Model(hf.Dinov2Config(image_size=518, patch_size=14, **attention))
            case _:
                return hf.SiglipVisionModel(hf.SiglipVisionConfig(**attention))


def _measured(family, engine, batch, dtype, *, autocast=False, training=False, checkpointing=False):
    """Most bytes alive in a pass; in training with the optimizer's two states a weight, and its step at the end."""
    import torch
    from storage import StorageTracker, shapes_only

    with shapes_only():
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            module = _module(family, engine).train(training)
        finally:
            torch.set_default_dtype(torch.float32)
        if checkpointing:
            module.gradient_checkpointing_enable()
        pixels = torch.empty(batch, 3, 224, 224, dtype=getattr(torch, dtype))
        states = [torch.empty_like(p) for p in module.parameters() for _ in range(2 * training)]
        with StorageTracker([*module.parameters(), *module.buffers(), *states, pixels]) as tracker:
            start = tracker.live
            with torch.set_grad_enabled(training), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                out = module(pixel_values=pixels)[0]
            if training:
                out.float().sum().backward()
        weights = sum(p.numel() * p.element_size() for p in module.parameters())
    return max(tracker.peak, start + weights) if training else tracker.peak


def _planned(family, batch, dtype):
    name, options = MODELS[family]
    return plan(name, batch=batch, dtype=dtype, **options).memory


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("engine", ["fused", "eager"])
@pytest.mark.parametrize("family", MODELS)
def test_inference_in_transformers_is_exact(hf, family, engine, dtype, batch):
    peak = _planned(family, batch, dtype).inference("transformers", engine)
    assert peak.total == _measured(family, engine, batch, dtype)
    assert peak.total == sum(value for _, value in peak.rows)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("engine", ["fused", "eager"])
@pytest.mark.parametrize("family", MODELS)
def test_inference_with_autocast(hf, cast_softmax, family, engine, batch):
    measured = _measured(family, engine, batch, "float32", autocast=True)
    peak = _planned(family, batch, "float32").inference("transformers", engine, autocast=True)
    assert peak.total == pytest.approx(measured, rel=0.005)


MODES = [("float32", False, "fused"), ("bfloat16", False, "eager"), ("float32", True, "eager")]


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("batch", [1, 8, 64])
@pytest.mark.parametrize(("dtype", "autocast", "engine"), MODES)
@pytest.mark.parametrize("family", MODELS)
def test_training_in_transformers(hf, cast_softmax, family, dtype, autocast, engine, batch, checkpointing):
    options = {"autocast": autocast, "checkpointing": checkpointing}
    measured = _measured(family, engine, batch, dtype, training=True, **options)
    peak = _planned(family, batch, dtype).training("transformers", engine, **options)
    assert peak.total == pytest.approx(measured, rel=0.08 if checkpointing else 0.02)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_of_one_model(hf, checkpointing):
    measured = _measured("ViT", "fused", 8, "float32", training=True, checkpointing=checkpointing)
    peak = _planned("ViT", 8, "float32").training(checkpointing=checkpointing)
    assert peak.total == pytest.approx(measured, rel=0.08 if checkpointing else 0.02)


# ---------------------------------------------------------------- Qwen2.5-VL: packed, on the meta device


def _fused(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, **_):
    """What torch runs on a CPU; on the meta device it would write the scores out."""
    import torch

    run = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return run(q, k, v, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]


def _tower(grids, engine, dtype, device):
    import torch
    from storage import StorageTracker
    from transformers.initialization import no_init_weights
    from transformers.models.qwen2_5_vl import configuration_qwen2_5_vl, modeling_qwen2_5_vl

    sizes = {"hidden_size": 1280, "out_hidden_size": 3584, "intermediate_size": 3420}
    attention = {"fused": "sdpa", "eager": "eager"}[engine]
    config = configuration_qwen2_5_vl.Qwen2_5_VLVisionConfig(depth=32, attn_implementation=attention, **sizes)
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device), no_init_weights():
            module = modeling_qwen2_5_vl.Qwen2_5_VisionTransformerPretrainedModel(config).eval()
    finally:
        torch.set_default_dtype(torch.float32)
    grid = torch.tensor([[1, rows, cols] for rows, cols in grids])  # real, since the code reads it
    patches = int(grid.prod(1).sum())
    pixels = torch.empty(patches, 1176, dtype=getattr(torch, dtype), device=device)
    places = torch.empty(patches, 2, dtype=torch.int64, device=device)
    with torch.no_grad(), StorageTracker([*module.parameters(), *module.buffers(), pixels, grid]) as tracker:
        module(pixels, grid, position_ids=places)
    return tracker.peak


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("engine", ["fused", "eager"])
@pytest.mark.parametrize(
    ("size", "batch"),
    [("784x560", 1), *(pytest.param("1288x728", batch, marks=pytest.mark.slow) for batch in (1, 8, 64))],
)
def test_qwen_tower_is_exact(hf, monkeypatch, size, batch, engine, dtype):
    import torch

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", _fused)
    result = plan("qwen2.5-vl-7b", input=size, batch=batch, dtype=dtype)
    [grid] = [view.grid for view in result.views]
    measured = _tower([(grid.rows, grid.cols)] * batch, engine, dtype, "meta")
    assert result.memory.inference("transformers", engine).total == measured


# ---------------------------------------------------------------- our own encoder

PACKS = {
    "alike": (Grid(12, 14),) * 3,
    "mixed": (Grid(8, 12), Grid(8, 12), Grid(14, 14), Grid(16, 16)),
}


def _ours(spec, grids, engine, dtype):
    """Of the second pass, when tables that stay are there: they and the weights that take bytes are counted."""
    import torch
    from storage import StorageTracker

    from vistoken.encoding.model import VisionEncoder, Wanted
    from vistoken.encoding.packing import Packed

    module = VisionEncoder(spec, engine).to(getattr(torch, dtype)).eval().requires_grad_(False)
    module.embed.fold(1 / 255, (0.5,) * 3, (0.5,) * 3)
    values = spec.patch.values(3) // spec.patch.frames
    pixels = torch.zeros(sum(grid.patches for grid in grids), values, dtype=torch.uint8)
    packed, wanted = Packed(pixels, grids, spec.prefix_tokens), Wanted(image=spec.connector is not None)
    with torch.no_grad():
        module(packed, wanted)
        kept = [*module.embed.patch._folded[1:], *getattr(module.embed.position, "_kept", {}).values()]
        with StorageTracker([*module.parameters(), *module.buffers(), pixels, *kept]) as tracker:
            module(packed, wanted)
    return tracker.peak


RUNS = [("fused", "sdpa", "float32"), ("fused", "sdpa", "bfloat16"), ("eager", "reference", "bfloat16")]


@pytest.mark.parametrize(("engine", "ours", "dtype"), RUNS)
@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("name", ["vit-b16-224", "dinov3-b16", "siglip-b16-224", "qwen2.5-vl-7b"])
def test_our_encoder(name, pack, engine, ours, dtype):
    """Two blocks, fewer dimensions, the same code."""
    pytest.importorskip("torch")
    _check_ours(_shallow(plan(name, input="448x448").encoder), name, pack, engine, ours, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "ours", "dtype"), RUNS)
@pytest.mark.parametrize("name", ["vit-b16-224", "qwen2.5-vl-7b"])
def test_our_encoder_in_full_width(name, engine, ours, dtype):
    pytest.importorskip("torch")
    spec = plan(name, input="448x448").encoder
    spec = replace(spec, depth=4, windows=spec.windows and replace(spec.windows, full=(3,)))
    _check_ours(spec, name, "mixed", engine, ours, dtype)


def _check_ours(spec, name, pack, engine, ours, dtype):
    result = plan(name, input="448x448", dtype=dtype)
    views = tuple(replace(result.views[0], grid=grid) for grid in PACKS[pack])
    planned = replace(result, encoder=spec, views=views, operations=_steps(spec, PACKS[pack]))
    measured = _ours(spec, PACKS[pack], ours, dtype)
    assert planned.memory.inference("vistoken", engine).total == pytest.approx(measured, rel=0.03)


def _shallow(spec):
    windows = spec.windows and replace(spec.windows, full=(1,))
    return replace(
        spec,
        connector=None,
        depth=2,
        dim=192,
        heads=4,
        windows=windows,
        mlp=replace(spec.mlp, hidden=512),
        pool=_small(spec.pool),
    )


def _small(pool):
    return replace(pool, heads=4, hidden=256) if hasattr(pool, "hidden") else pool


def _steps(spec, grids):
    from vistoken.planning import operations

    return operations(spec, grids)


# ---------------------------------------------------------------- weights, laws, bad input


def test_weights_in_every_dtype():
    """A block of ViT-B has 12 x 768^2 numbers in matrices; int8 adds 12 x 768 scales of 2 bytes less dim for the last.

    Rows of the four matrices: 3 x 768, 768, 3072 and 768. In int4 rows of 768 have 6 groups and those of 3072 have 24,
    with 4 bytes for each group.
    """
    wide = plan("vit-b16-224", dtype="float64").memory.weights.total
    half = plan("vit-b16-224", dtype="bfloat16").memory.weights.total
    assert wide == 4 * half
    matrices, rows = 12 * 12 * 768**2, 12 * (3 * 768 + 768 + 3072 + 768)
    assert plan("vit-b16-224", dtype="int8").memory.weights.total == half - matrices + 2 * rows
    groups = 12 * (6 * (3 * 768 + 768 + 3072) + 24 * 768)
    assert plan("vit-b16-224", dtype="int4").memory.weights.total == half - matrices * 3 // 2 + 4 * groups


def test_an_allowance_stands_apart():
    peak = plan("vit-b16-224").memory.inference()
    extra = allowance(peak)
    assert extra.total == sum(value for _, value in extra.rows) > 0
    assert "not measured" in extra.convention
    assert peak.as_dict()["total"] == peak.total


@pytest.mark.parametrize(
    ("options", "call", "said"),
    [
        ({}, {"implementation": "timm"}, "implementation 'timm' is unknown"),
        ({}, {"attention": "fussed"}, "Did you mean"),
        ({}, {"autocast": True}, "autocast is for float32 weights in transformers"),
        ({"merge_tokens": 8}, {}, "token merging"),
    ],
)
def test_bad_words(options, call, said):
    with pytest.raises(UsageError, match=said):
        plan("vit-b16-224", **options).memory.inference(**call)


def test_what_was_not_measured_is_refused():
    for name in ("dinov3-b16", "facebook/dinov2-with-registers-base", "siglip2-b16-naflex"):
        with pytest.raises(UsageError, match="has not been measured"):
            plan(name, input="448x448").memory.inference("transformers")
    with pytest.raises(UsageError, match="memory of training is known of"):
        plan("qwen2.5-vl-7b", input="448x448").memory.training()
    spec = bare_encoder(patch=Patch.square(16), dim=64, depth=2, heads=2, table=Size(64, 64))
    with pytest.raises(UsageError, match="of bare geometry"):
        plan(spec).memory.inference("transformers")


def test_the_tracker_follows_storages():
    """Made, seen again through a view, and gone: by hand."""
    torch = pytest.importorskip("torch")
    from storage import StorageTracker

    held = torch.zeros(10)
    with StorageTracker([held]) as tracker:
        first = held + 1
        view = first[:5]
        assert tracker.live == 80
        second = first * 2
        assert (tracker.live, tracker.peak) == (120, 120)
        del first
        assert tracker.live == 120
        del view, second
        assert (tracker.live, tracker.peak, len(tracker.at_peak)) == (40, 120, 3)
