"""Laws of the packed engine, each with an engine that is broken on purpose and must be noticed.

The encoders are small and random, and together use every choice of which encoders are made.
"""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from vistoken import count, registry  # noqa: E402
from vistoken.connector import AveragePool, Connector, Linear, MergeBlocks, MlpStage, Normalise, Resample  # noqa: E402
from vistoken.encoding import Encoder, positions  # noqa: E402
from vistoken.encoding import model as engine_module  # noqa: E402
from vistoken.encoding.frontend import seed_parameters  # noqa: E402
from vistoken.encoding.model import VisionEncoder  # noqa: E402
from vistoken.encoding.passing import Asked  # noqa: E402
from vistoken.encoding.prepared import Prepared, normalise, of_tensor  # noqa: E402
from vistoken.errors import InputError, UsageError  # noqa: E402
from vistoken.geometry import Grid, Patch, Size  # noqa: E402
from vistoken.model_spec import Later, PixelSpec  # noqa: E402
from vistoken.spec import (  # noqa: E402
    AttentionPool,
    Buckets,
    CentredRotary,
    ClassPool,
    ClassRotary,
    ClassToken,
    EncoderSpec,
    EvenOddRotary,
    Factorised,
    GatedMlp,
    HeadNorm,
    LayerNorm,
    LearnedTable,
    MeanPool,
    NoPosition,
    PlainMlp,
    ProjectedClass,
    Registers,
    RmsNorm,
    Rotary,
    Sinusoidal,
    TableResize,
    WidthNorm,
    Windows,
)
from vistoken.views import View  # noqa: E402

LAYER, RMS = LayerNorm(1e-6), RmsNorm(1e-6)
PLAIN = {"patch": Patch.square(4), "dim": 16, "depth": 2, "heads": 2, "norm": LAYER, "mlp": PlainMlp(24, "gelu")}
GATED = PLAIN | {"norm": RMS, "mlp": GatedMlp(24, "silu")}
BICUBIC, SMOOTH = TableResize("bicubic", antialias=False), TableResize("bilinear", antialias=True)
MERGER = Connector(stages=(Normalise(RMS), MergeBlocks(2), Linear(12)))
SPECS = {
    "class": EncoderSpec(**PLAIN, position=LearnedTable(3, 3, 1, BICUBIC), prefix=(ClassToken(),), pool=ClassPool()),
    "registers": EncoderSpec(
        **PLAIN | {"mlp": GatedMlp(24, "silu")}, position=LearnedTable(4, 2, 1, TableResize("bicubic", antialias=True)),
        prefix=(ClassToken(), Registers(3)), layer_scale=True, pool=MeanPool(),
    ),
    "clip": EncoderSpec(
        **PLAIN, position=LearnedTable(3, 3, 1, BICUBIC), prefix=(ClassToken(),), pool=ProjectedClass(6), pre_norm=True,
        patch_bias=False, final_norm="pooled",
    ),
    "probe": EncoderSpec(**PLAIN, position=LearnedTable(4, 4, 0, SMOOTH), pool=AttentionPool(2, 20, 6)),
    "sinusoidal": EncoderSpec(**PLAIN, position=Sinusoidal(cols_first=True), embed_norm=True, qkv_bias="none"),
    "buckets": EncoderSpec(**PLAIN, position=Buckets(5), connector=Connector(stages=(Linear(7),), layers=(-2, 1))),
    "centred": EncoderSpec(
        **PLAIN, position=NoPosition(), rotary=CentredRotary(), prefix=(ClassToken(), Registers(2)), pool=ClassPool(),
        qkv_bias="query and value", layer_scale=True,
    ),
    "class turned": EncoderSpec(
        **PLAIN, position=NoPosition(), rotary=ClassRotary(), prefix=(ClassToken(),), pool=ClassPool(), pre_norm=True,
    ),
    "class tokens": EncoderSpec(
        **PLAIN, position=LearnedTable(3, 3, 3, BICUBIC), prefix=(ClassToken(3), Registers(2)), pool=ProjectedClass(6),
    ),
    "even-odd": EncoderSpec(**GATED, position=NoPosition(), rotary=EvenOddRotary(), pre_norm=True, final_norm="none"),
    "width norm": EncoderSpec(**PLAIN, position=Factorised(64, 64), qkv_norm=WidthNorm(RMS)),
    "sandwich": EncoderSpec(
        **GATED, position=Factorised(64, 64), rotary=Rotary(100.0), qkv_norm=HeadNorm(RMS), block_norms="both",
        clamps=True,
    ),
    "norms behind": EncoderSpec(
        **PLAIN | {"mlp": GatedMlp(24, "silu", norm=LAYER)}, position=LearnedTable(3, 3, 1, SMOOTH),
        prefix=(ClassToken(),), rotary=Rotary(start=1, reference=(3, 5)), block_norms="after", attention_norm=True,
        pool=MeanPool(norm=True), final_norm="none",
    ),
    "pooled tokens": EncoderSpec(
        **PLAIN, position=Sinusoidal(), connector=Connector(stages=(AveragePool(2), Linear(9))), pool=MeanPool(),
    ),
    "resampled": EncoderSpec(
        **PLAIN, position=LearnedTable(3, 3, 0, replace(BICUBIC, offset=0.1)),
        connector=Connector(stages=(
            MlpStage(GatedMlp(10, "silu"), 12), Resample(3, 2, 4, 2, 5, RMS, GatedMlp(8, "gelu", bias=False)),
        )),
    ),
    "windows": EncoderSpec(
        **GATED, position=NoPosition(), rotary=Rotary(), windows=Windows(3, (1,)), final_norm="none",
    ),
    "frames": EncoderSpec(
        **GATED | {"patch": Patch.square(4, frames=2), "depth": 3}, position=LearnedTable(3, 3, 0, SMOOTH),
        rotary=Rotary(), windows=Windows(4, (2,)), connector=MERGER, deepstack=(replace(MERGER, layers=(1,)),),
    ),
}  # fmt: skip
NAMES = tuple(SPECS)


def drawn(module, seed=3):
    """All parameters of standard deviation 0.3, norms around 1, so that nothing is hidden by a zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3 + centre)
    return module


def built(spec, attention="sdpa", pool="own", pixels=None):
    """An encoder of this description; the view rule and the normalisation are those of the front end."""
    described = registry.describe("vistoken/front-end")
    described = replace(described, tower=Later(lambda: spec), pixels=pixels or described.pixels)
    return Encoder(described, drawn(VisionEncoder(spec, attention, pool)))


def encoder_of(name, attention="sdpa"):
    return built(SPECS[name], attention)


def whole(name, rows, cols):
    """Models that merge blocks of 2 x 2 want even sides."""
    side = SPECS[name].connector.side if SPECS[name].connector else 1
    return max(rows // side, 1) * side, max(cols // side, 1) * side


def image(name, rows, cols, seed=0, frames=1):
    generator = torch.Generator().manual_seed(1000 * rows + 10 * cols + seed)
    (rows, cols), shape = whole(name, rows, cols), (frames,) * (frames > 1)
    return torch.randn(*shape, 3, rows * 4, cols * 4, generator=generator)


def everything(encoder, images, max_tokens=8192):
    depth = encoder.module.spec.depth
    return encoder.encode_pixels(images, layers=range(depth + 1), attention_maps=range(depth), max_tokens=max_tokens)


def same(one, other, tolerance=1e-5):
    """All tensors of two results, relative to the largest number in each."""
    mine, theirs = one.arrays(), other.arrays()
    assert set(mine) == set(theirs)
    for key, tensor in mine.items():
        assert tensor.shape == theirs[key].shape, key
        limit = tolerance * max(1.0, theirs[key].abs().max().item())
        worst = (tensor - theirs[key]).abs().max().item()
        assert worst <= limit, f"{key} differs by {worst:.3g}, allowed {limit:.3g}"


GRIDS = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=6)


# ---------------------------------------------------------------- packs


def check_packs(name, encoder, grids, order, max_tokens):
    """Alone, together, in another order, and in packs of any size: all the same."""
    images = [image(name, rows, cols, seed) for seed, (rows, cols) in enumerate(grids)]
    alone = [everything(encoder, [one])[0] for one in images]
    together = everything(encoder, [images[index] for index in order], max_tokens)
    assert len(together) == len(images)
    for place, index in enumerate(order):
        same(together[place], alone[index])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(grids=GRIDS, data=st.data(), max_tokens=st.sampled_from([1, 7, 30, 100, 8192]))
def test_packs_do_not_matter(name, grids, data, max_tokens):
    order = data.draw(st.permutations(range(len(grids))))
    check_packs(name, encoder_of(name), grids, order, max_tokens)


MIXED = [(2, 2), (6, 4), (2, 2), (4, 6), (2, 6)]


def broken(name, monkeypatch, fault):
    """An encoder whose attention has a fault: `fault(attend, q, k, v, ours, theirs, scale)`."""
    encoder = encoder_of(name)
    for block in encoder.module.blocks:
        attend = block.attention.attend
        monkeypatch.setattr(block.attention, "attend", lambda *given, attend=attend: fault(attend, *given))
    return encoder


FAULTS = {
    "sees the whole pack": lambda attend, q, k, v, a, b, scale: attend(q, k, v, (0, len(q)), (0, len(k)), scale),
    "forgets where one segment ends": lambda attend, q, k, v, a, b, scale: attend(
        q, k, v, a[:1] + a[2:] if len(a) > 2 else a, b[:1] + b[2:] if len(b) > 2 else b, scale
    ),
    "scales by the length of the pack": lambda attend, q, k, v, a, b, scale: attend(q, k, v, a, b, scale / len(q)),
    "hands out segments in reverse": lambda attend, q, k, v, a, b, scale: torch.cat(
        [attend(q, k, v, a, b, scale)[start:end] for start, end in reversed(list(pairwise(a)))]
    ),
    "adds a little of the neighbours": lambda attend, q, k, v, a, b, scale: attend(q, k, v, a, b, scale) + 1e-3 * v.mean(0),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["class", "even-odd", "frames"])
def test_a_broken_pack_would_be_noticed(name, monkeypatch, fault):
    encoder = broken(name, monkeypatch, FAULTS[fault])
    with pytest.raises((AssertionError, RuntimeError)):
        check_packs(name, encoder, MIXED, [4, 2, 0, 1, 3], 8192)


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
def test_videos_and_pictures_share_a_pack(attention):
    encoder = encoder_of("frames", attention)
    images = [image("frames", 4, 2, frames=4), image("frames", 4, 2), image("frames", 2, 6, frames=2),
              image("frames", 4, 2, 1)]  # fmt: skip
    alone = [everything(encoder, [one])[0] for one in images]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3]):
        for place, result in enumerate(everything(encoder, [images[index] for index in order])):
            same(result, alone[order[place]])
    still = images[1].expand(2, -1, -1, -1)  # a still picture is its one frame twice
    same(everything(encoder, [still])[0], alone[1])


def test_groups_of_frames_do_not_see_each_other():
    """The second group of a video is what it is alone."""
    encoder = encoder_of("frames")
    film = image("frames", 4, 4, frames=4)
    [together], [first], [second] = (everything(encoder, [part]) for part in (film, film[:2], film[2:]))
    for key in ("patches", "image_tokens", "deepstack.0", "layers.1.patches"):
        wanted = torch.cat([first.arrays()[key], second.arrays()[key]])
        torch.testing.assert_close(together.arrays()[key], wanted, rtol=0, atol=1e-4)


# ---------------------------------------------------------------- engines


def check_engines(images, one, other):
    for mine, theirs in zip(everything(one, images), everything(other, images), strict=True):
        same(mine, theirs, 2e-5)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(grids=GRIDS)
def test_engines_agree(name, grids):
    images = [image(name, rows, cols, seed) for seed, (rows, cols) in enumerate(grids)]
    check_engines(images, encoder_of(name, "sdpa"), encoder_of(name, "reference"))


@pytest.mark.parametrize("fault", ["scales by the length of the pack", "forgets where one segment ends"])
def test_engines_that_disagree_would_be_noticed(monkeypatch, fault):
    images = [image("class", *grid, seed) for seed, grid in enumerate(MIXED)]
    check_engines(images, broken("class", monkeypatch, lambda attend, *given: attend(*given)), encoder_of("class"))
    with pytest.raises(AssertionError, match="differs by"):
        check_engines(images, broken("class", monkeypatch, FAULTS[fault]), encoder_of("class", "reference"))


# ---------------------------------------------------------------- neighbours


def check_neighbours(name, encoder, scale):
    """Whatever stands around a picture, its own numbers are the same to the last bit."""
    around = [(2, 4), (4, 4), (4, 2)]
    mine = image(name, 4, 4, 7)
    results = []
    for seed in (1, 2):
        others = [scale**seed * image(name, *grid, seed) for grid in around]
        results.append(everything(encoder, [others[0], others[1], mine, others[2]])[2])
    for key, tensor in results[0].arrays().items():
        assert torch.equal(tensor, results[1].arrays()[key]), key


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_no_result_depends_on_its_neighbours(name, attention):
    check_neighbours(name, encoder_of(name, attention), 30.0)


@pytest.mark.parametrize("name", ["class", "windows", "frames"])
def test_neighbours_that_are_not_numbers_stay_apart(name):
    """NaN and infinity in one picture reach no other, where segments are computed one by one."""
    check_neighbours(name, encoder_of(name), float("nan"))
    check_neighbours(name, encoder_of(name), float("inf"))


@pytest.mark.parametrize("fault", ["sees the whole pack", "adds a little of the neighbours"])
@pytest.mark.parametrize("name", ["class", "frames"])
def test_a_leak_from_neighbours_would_be_noticed(name, monkeypatch, fault):
    with pytest.raises(AssertionError):
        check_neighbours(name, broken(name, monkeypatch, FAULTS[fault]), 30.0)


# ---------------------------------------------------------------- bytes


PIXELS = {
    "clip": PixelSpec((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "half": PixelSpec((0.5,) * 3, (0.5,) * 3),
    "imagenet": PixelSpec((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "as they are": PixelSpec((0.0,) * 3, (1.0,) * 3),
    "from -1 to 1": PixelSpec((1.0,) * 3, (1.0,) * 3, 1 / 127.5),
}


def byte_picture(seed, rows=5, cols=6, patch=4):
    picture = np.random.default_rng(seed).integers(0, 256, (rows * patch, cols * patch, 3), dtype=np.uint8)
    picture[:patch], picture[-patch:] = 0, 255  # and the extremes
    return picture


def as_prepared(picture, patch):
    """Bytes as `prepare` cuts them, written out patch by patch."""
    size = Size(height=picture.shape[0], width=picture.shape[1])
    grid = patch.grid(size)
    cells = [
        picture[row * 4 : row * 4 + 4, col * 4 : col * 4 + 4].transpose(2, 0, 1).ravel() for row, col in grid.cells()
    ]
    return Prepared("bytes", size, (View(size, (), patch, grid),), (torch.from_numpy(np.stack(cells)),), None)


def check_bytes(encoder, pixels):
    asked = Asked.of(encoder.module, {"layers": [0]})
    for seed in range(3):
        picture = byte_picture(seed)
        [from_bytes] = encoder.run([as_prepared(picture, encoder.module.spec.patch)], asked=asked)
        [plain] = encoder.encode_pixels([normalise(picture, pixels)], layers=[0])
        for key in ("layers.0.patches", "patches"):
            mine, theirs = from_bytes.arrays()[key], plain.arrays()[key]
            worst = (mine - theirs).norm(dim=1).max() / theirs.norm(dim=1).max()
            assert worst <= 1e-5, f"{key} differs by {worst:.3g} of the largest token"


@pytest.mark.parametrize("pixels", PIXELS)
@pytest.mark.parametrize("name", ["class", "clip", "probe", "frames"])
def test_bytes_agree_with_floats(name, pixels):
    spec = SPECS[name] if name != "frames" else replace(SPECS[name], connector=None, deepstack=())
    check_bytes(built(spec, pixels=PIXELS[pixels]), PIXELS[pixels])


def test_bytes_that_are_normalised_wrongly_would_be_noticed():
    mean = PIXELS["clip"].mean
    off = replace(PIXELS["clip"], mean=(mean[0] + 1e-4, *mean[1:]))
    with pytest.raises(AssertionError, match="differs by"):
        check_bytes(built(SPECS["class"], pixels=off), PIXELS["clip"])


def test_bytes_and_floats_share_no_pack():
    """Joined, a byte would become a float and pass for a normalised one."""
    encoder = built(SPECS["class"], pixels=PIXELS["half"])
    picture = byte_picture(0)
    tensor = of_tensor(normalise(picture, PIXELS["half"]), 1, SPECS["class"])
    with pytest.raises(UsageError, match="cannot share a pack"):
        list(encoder.run([as_prepared(picture, Patch.square(4)), tensor]))


# ---------------------------------------------------------------- what is kept


TABLES = ("class", "registers", "clip", "probe", "frames")


def fresh(name, encoder, images):
    """What a new encoder with the same parameters gives, which has kept nothing."""
    other = encoder_of(name)
    other.module.load_state_dict({key: tensor.clone() for key, tensor in encoder.module.state_dict().items()})
    return everything(other, images)


def equal(ones, others):
    for one, other in zip(ones, others, strict=True):
        for key, tensor in one.arrays().items():
            assert torch.equal(tensor, other.arrays()[key]), key


@pytest.mark.parametrize("kept", [0, 200, 1500, 16_000_000])
@pytest.mark.parametrize("name", TABLES)
def test_grids_that_repeat_or_are_forgotten_give_the_same(monkeypatch, name, kept):
    monkeypatch.setattr(positions, "KEPT_NUMBERS", kept)
    encoder = encoder_of(name)
    images = [image(name, *grid) for grid in [*MIXED, (6, 6), (2, 2), (4, 2), (6, 4)]]
    first = everything(encoder, images)
    equal(everything(encoder, images), first)
    equal(everything(encoder, images[::-1])[::-1], fresh(name, encoder, images[::-1])[::-1])


def in_place(module, parameter):
    parameter.mul_(1.5)


def by_copy(module, parameter):
    parameter.copy_(parameter.flip(0) + 0.1)


def by_state(module, parameter):
    module.load_state_dict({key: tensor * 1.5 for key, tensor in module.state_dict().items()})


def by_assignment(module, parameter):
    module.load_state_dict({key: tensor * 1.5 for key, tensor in module.state_dict().items()}, assign=True)


def by_new_data(module, parameter):
    parameter.data = parameter.data * 1.5


@pytest.mark.parametrize("change", [in_place, by_copy, by_state, by_assignment, by_new_data])
@pytest.mark.parametrize("which", ["embed.position.table", "embed.patch.weight", "embed.patch.bias"])
def test_weights_that_change_are_noticed(change, which):
    encoder = built(SPECS["class"])
    prepared = [as_prepared(byte_picture(0), Patch.square(4)), as_prepared(byte_picture(1, 3, 3), Patch.square(4))]
    before = list(encoder.run(prepared))
    with torch.no_grad():
        change(encoder.module, encoder.module.get_parameter(which))
    after = list(encoder.run(prepared))
    other = built(SPECS["class"])
    other.module.load_state_dict({key: tensor.clone() for key, tensor in encoder.module.state_dict().items()})
    equal(after, other.run(prepared))
    with pytest.raises(AssertionError):
        equal(after, before)


def test_what_is_kept_too_long_would_be_noticed(monkeypatch):
    from vistoken.encoding import frontend

    for module in (positions, frontend):
        monkeypatch.setattr(module, "state_of", lambda *_: (0,))
    for which in ("embed.position.table", "embed.patch.bias"):
        with pytest.raises(AssertionError):
            test_weights_that_change_are_noticed(in_place, which)


def test_inference_mode_of_the_caller_changes_nothing():
    """Tensors made there keep no account of changes, so that nothing can be kept of them."""
    prepared = [as_prepared(byte_picture(0), Patch.square(4)), as_prepared(byte_picture(1, 3, 3), Patch.square(4))]
    wanted = list(built(SPECS["class"]).run(prepared))
    with torch.inference_mode():
        encoder = built(SPECS["class"])
        equal(encoder.run(prepared), wanted)
        encoder.module.embed.position.table.mul_(2.0)
        changed = list(encoder.run(prepared))
    with pytest.raises(AssertionError):
        equal(changed, wanted)
    equal(encoder.run(prepared), changed)


# ---------------------------------------------------------------- counts


def tiny(spec):
    """The same choices with few numbers: two heads of eight, one block."""

    def smaller(stage):
        match stage:
            case Linear():
                return replace(stage, out=8)
            case MlpStage(mlp):
                return MlpStage(replace(mlp, hidden=8), 8)
            case Resample(mlp=mlp):
                return replace(stage, depth=1, heads=2, key_heads=1, head_dim=4, mlp=replace(mlp, hidden=8))
        return stage

    def connector(given):
        stages = tuple(smaller(stage) for stage in given.stages)
        layers = given.layers and tuple(max(-2, min(number, 1)) for number in given.layers)
        return replace(given, stages=stages, layers=layers)

    small = {"heads": 2, "hidden": 8, "dim": 8}
    pool = replace(spec.pool, **{part.name: small[part.name] for part in fields(spec.pool) if part.name in small})
    return replace(
        spec, dim=16, heads=2, depth=min(spec.depth, 1), mlp=replace(spec.mlp, hidden=8), pool=pool,
        windows=spec.windows and replace(spec.windows, full=()), kv_heads=spec.kv_heads and 1,
        connector=spec.connector and connector(spec.connector), deepstack=tuple(map(connector, spec.deepstack)),
    )  # fmt: skip


def encodable():
    """One name for each distinct way from a picture to an encoder among the built-in descriptions."""
    found = {}
    for family in registry.families():
        for published in family.published:
            spec = registry.describe(published.name)
            if spec.encoder is not None and spec.rule is not None and spec.pixels is not None:
                found.setdefault(repr((spec.rule, spec.prompt, tiny(spec.encoder))), published.name)
    return tuple(found.values())


EDGES = ((1, 1), (8, 8), (4000, 30), (30, 4000))


def counted_or_refused(name, width, height):
    try:
        return count(name, width=width, height=height)
    except InputError as error:
        return error


def check_count(encoder, name, width, height):
    counted = counted_or_refused(name, width, height)
    picture = Image.effect_noise((width, height), 60).convert("RGB")
    if isinstance(counted, InputError):
        with pytest.raises(InputError, match="picture 0"):
            encoder.encode([picture])
        return
    [result] = encoder.encode([picture])
    assert counted.patches == len(result.patches) == len(list(result.boxes()))
    assert counted.prefix_tokens == sum(map(len, result.prefix.values()))
    assert tuple(view.grid for view in counted.views) == result.grids
    if result.image_tokens is not None:
        assert counted.image_tokens == len(result.image_tokens) == len(list(result.token_boxes()))


def tiny_encoder(name):
    spec = registry.describe(name)
    small = tiny(spec.encoder)
    module = VisionEncoder(small)
    seed_parameters(module, 0)
    return Encoder(replace(spec, tower=Later(lambda: small)), module)


@pytest.mark.parametrize("name", encodable())
def test_counts_equal_lengths_at_the_edges(name):
    encoder = tiny_encoder(name)
    for width, height in EDGES:
        check_count(encoder, name, width, height)


@pytest.mark.parametrize("name", ["google/siglip2-base-patch16-naflex", "Qwen/Qwen2.5-VL-3B-Instruct"])
def test_a_count_that_is_off_would_be_noticed(monkeypatch, name):
    encoder = tiny_encoder(name)
    turned = encoder.encode([Image.new("RGB", (300, 40))])
    monkeypatch.setattr(encoder, "encode", lambda _: turned)
    with pytest.raises(AssertionError):
        check_count(encoder, name, 40, 300)


# ---------------------------------------------------------------- windows


def patches_of(encoder, picture):
    return encoder.encode_pixels([picture])[0].patches


def windowed(side, full=()):
    return built(replace(SPECS["windows"], windows=side and Windows(side, full)))


@pytest.mark.parametrize("grid", [(1, 1), (2, 5), (5, 5), (5, 2)])
def test_a_grid_no_larger_than_a_window_needs_none(grid):
    picture = image("windows", *grid)
    for side in (5, 6, 100):
        torch.testing.assert_close(
            patches_of(windowed(side), picture), patches_of(windowed(None), picture), rtol=0, atol=1e-5
        )


def check_windows(encoder, rows, cols, side):
    """A patch that changes, changes its own window and nothing else, ragged or not."""
    picture = image("windows", rows, cols)
    before = patches_of(encoder, picture)
    for row in range(rows):
        for col in range(cols):
            other = picture.clone()
            other[:, row * 4 : row * 4 + 4, col * 4 : col * 4 + 4] += 1
            changed = (patches_of(encoder, other) - before).abs().amax(1) > 1e-6
            wanted = [(r // side, c // side) == (row // side, col // side) for r, c in Grid(rows, cols).cells()]
            assert changed.tolist() == wanted


@pytest.mark.parametrize("grid", [(3, 3), (4, 5), (7, 2), (1, 8), (6, 6)])
@pytest.mark.parametrize("side", [1, 2, 3])
def test_windows_end_at_their_borders(grid, side):
    check_windows(windowed(side), *grid, side)


def test_windows_in_the_wrong_order_would_be_noticed(monkeypatch):
    def in_rows(packed, side):
        _, offsets = ordered(packed, side)
        return torch.arange(sum(packed.lengths)), offsets

    ordered = engine_module.Packed.windows
    monkeypatch.setattr(engine_module.Packed, "windows", in_rows)
    with pytest.raises(AssertionError):
        check_windows(windowed(2), 4, 5, 2)


def test_blocks_that_see_everything_do():
    picture = image("windows", 5, 7)
    other = picture.clone()
    other[:, :4, :4] += 1
    encoder = windowed(2, full=(1,))
    assert ((patches_of(encoder, other) - patches_of(encoder, picture)).abs().amax(1) > 1e-6).all()


def test_windows_hold_no_prefix():
    with pytest.raises(UsageError, match="no prefix"):
        replace(SPECS["windows"], prefix=(ClassToken(),))
