"""Token merging: against the paper's algorithm written out in loops, and laws that hold at any size."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from conftest import PHOTOGRAPHS  # noqa: E402
from test_engine_laws import GRIDS, PLAIN, SPECS, built, image, same  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from twins import twin  # noqa: E402
from vlm_twins import vlm_twin  # noqa: E402

from vistoken import plan  # noqa: E402
from vistoken.encoding import Encoder, pack  # noqa: E402
from vistoken.encoding import model as engine_module  # noqa: E402
from vistoken.encoding.merging import Merging, new_places  # noqa: E402
from vistoken.encoding.model import Wanted  # noqa: E402
from vistoken.errors import UsageError  # noqa: E402
from vistoken.geometry import Grid, around  # noqa: E402
from vistoken.planning.operations import operations  # noqa: E402
from vistoken.spec import (  # noqa: E402
    ClassPool,
    ClassToken,
    DistillationToken,
    EncoderSpec,
    LearnedTable,
    NoPosition,
    Rotary,
    TableResize,
)

TABLE = LearnedTable(3, 3, 2, TableResize("bicubic", antialias=False))
TWO = EncoderSpec(
    **PLAIN | {"depth": 3}, position=TABLE, prefix=(ClassToken(), DistillationToken()), pool=ClassPool()
)  # fmt: skip
TURNED = EncoderSpec(**PLAIN, position=NoPosition(), rotary=Rotary(100.0), prefix=(ClassToken(),), pool=ClassPool())
MERGED = {name: SPECS[name] for name in ("class", "registers", "probe", "centred", "sandwich")} | {
    "two": TWO, "turned": TURNED,
}  # fmt: skip
SIZES = [(3, 5), (7, 6), (3, 5), (1, 1), (1, 2), (4, 1), (9, 5)]


def pictures():
    return [image("class", *size, seed) for seed, size in enumerate(SIZES)]


# ---------------------------------------------------------------- the algorithm, in loops


def turned(vector, angles):
    """(d,) by d/2 angles: dimension i pairs with i + d/2."""
    half, out = len(vector) // 2, vector.clone()
    for i, angle in enumerate(angles.tolist()):
        a, b = vector[i].item(), vector[half + i].item()
        out[i], out[half + i] = a * math.cos(angle) - b * math.sin(angle), b * math.cos(angle) + a * math.sin(angle)
    return out


def cosine(one, other):
    return (one @ other / (one.norm() * other.norm())).item()


def attended(block, tokens, heads):
    """What attention adds to each token, proportional to the sizes of what it looks at; and the mean keys."""
    normed = block.norm1(torch.stack([token["x"] for token in tokens]))
    rows = block.attention.qkv(normed).split(1)
    parts = [row[0].unflatten(0, (3, heads, -1)) for row in rows]
    if tokens[0]["angles"] is not None:
        for part, token in zip(parts, tokens, strict=True):
            for head in range(heads):
                part[0, head], part[1, head] = (turned(part[kind, head], token["angles"]) for kind in (0, 1))
    width, added = parts[0].shape[-1], []
    for mine in parts:
        by_head = []
        for head in range(heads):
            weights = [
                token["size"] * math.exp((mine[0, head] @ theirs[1, head]).item() / math.sqrt(width))
                for token, theirs in zip(tokens, parts, strict=True)
            ]
            values = sum(weight * theirs[2, head] for weight, theirs in zip(weights, parts, strict=True))
            by_head.append(values / sum(weights))
        added.append(torch.cat(by_head))
    return block.attention.out(torch.stack(added)), [part[1].mean(0) for part in parts]


def in_loops(module, x, angles, prefix, by):
    """Appendix D of the paper, one token at a time: what is left, as dictionaries of vector, size and patches."""
    tokens = [
        {
            "x": row,
            "size": 1,
            "angles": None if angles is None else angles[i],
            "held": {i - prefix},
            "first": i < prefix,
        }
        for i, row in enumerate(x)
    ]
    for block in module.blocks:
        added, keys = attended(block, tokens, module.spec.heads)
        for token, row, key in zip(tokens, added, keys, strict=True):
            token["x"], token["key"] = token["x"] + row, key
        tokens = joined(tokens, by)
        for token, row in zip(
            tokens, block.mlp(block.norm2(torch.stack([token["x"] for token in tokens]))), strict=True
        ):
            token["x"] = token["x"] + row
    return tokens


def joined(tokens, by):
    ones, others = tokens[::2], tokens[1::2]
    edges = []
    for source in ones:
        free = [target for target in others if not target["first"]]
        if not source["first"] and free:
            best = max(free, key=lambda target: cosine(source["key"], target["key"]))
            edges.append((cosine(source["key"], best["key"]), source, best))
    edges.sort(key=lambda edge: -edge[0])
    most = sum(not token["first"] for token in tokens) // 2
    gone = []
    for _, source, target in edges[: min(by, most)]:
        total = source["size"] + target["size"]
        for name in ("x", "angles"):
            if source[name] is not None:
                target[name] = (source["size"] * source[name] + target["size"] * target[name]) / total
        target["size"], target["held"] = total, target["held"] | source["held"]
        gone.append(id(source))
    kept = [token for token in (*ones, *others) if id(token) not in gone]
    return [token for token in tokens if token["first"]] + [token for token in kept if not token["first"]]


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
@pytest.mark.parametrize("by", [1, 4, 100])
@pytest.mark.parametrize("name", ["class", "two", "turned"])
def test_the_algorithm_in_loops_gives_the_same(name, by, attention):
    encoder, (rows, cols) = built(MERGED[name], attention), (3, 5)
    module, prefix = encoder.module, MERGED[name].prefix_tokens
    picture = image(name if name in SPECS else "class", rows, cols)
    [ours] = encoder.encode_pixels([picture], merge_tokens=by, layers=[0])
    with torch.no_grad():
        entered = module.embed(pack([picture], module.spec.patch, prefix))
        theirs = in_loops(module, entered, module.embed.angles([Grid(rows, cols)]), prefix, by)
        normed = module.norm(torch.stack([token["x"] for token in theirs]))
    patches = [(min(token["held"]), token["held"], row) for token, row in zip(theirs, normed, strict=True)][prefix:]
    patches.sort(key=lambda token: token[0])
    assert [set(ours.patches_of(i)) for i in range(len(ours.patches))] == [held for _, held, _ in patches]
    expected = torch.stack([row for _, _, row in patches])
    assert (ours.patches - expected).abs().max() <= 1e-4 * max(1.0, expected.abs().max().item())
    assert (ours.prefix["cls"] - normed[:1]).abs().max() <= 1e-4 * max(1.0, normed[:1].abs().max().item())
    assert len(ours.patches) == length(rows * cols, len(module.blocks), by)


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
@pytest.mark.parametrize("name", MERGED)
def test_packed_equals_one_by_one(name, attention):
    encoder, images = built(MERGED[name], attention), pictures()
    options = {"merge_tokens": 3, "layers": [0, 1, -1]}
    together = encoder.encode_pixels(images, **options)
    for result, picture, (rows, cols) in zip(together, images, SIZES, strict=True):
        same(result, encoder.encode_pixels([picture], **options)[0])
        assert len(result.patches) == length(rows * cols, encoder.module.spec.depth, 3)
        assert result.layers[1].patches.shape == (rows * cols, 16)


def length(patches, depth, by):
    for _ in range(depth):
        patches -= min(by, patches // 2)
    return patches


def test_none_joined_is_the_plain_encoder():
    encoder, images = built(SPECS["registers"]), pictures()
    for plain, zero in zip(encoder.encode_pixels(images), encoder.encode_pixels(images, merge_tokens=0), strict=True):
        assert torch.equal(plain.patches, zero.patches)
        assert zero.token_of_patch is None
        assert torch.equal(zero.unmerged(), zero.patches)
        assert zero.patches_of(0) == [0]


def test_alike_patches_may_be_joined_without_a_trace():
    """Without positions, patches of one kind are one token seen many times, which is what proportional attention is."""
    spec = EncoderSpec(**PLAIN, position=NoPosition(), prefix=(ClassToken(),), pool=ClassPool())
    encoder = built(spec)
    colours = torch.arange(24).unflatten(0, (4, 6)) % 2  # two kinds of patches, one in each half
    picture = torch.randn(2, 3, 1, 1, generator=torch.Generator().manual_seed(1))[(colours > 0).long()]
    picture = picture.squeeze((3, 4)).permute(2, 0, 1).repeat_interleave(4, 1).repeat_interleave(4, 2)
    spread = picture.roll(4, dims=2).clone()
    spread[:, :, :4] = picture[:, :, :4]  # so that both kinds stand in both halves
    [plain] = encoder.encode_pixels([spread])
    [merged] = encoder.encode_pixels([spread], merge_tokens=2)
    assert len(merged.patches) == 20
    assert torch.allclose(merged.pooled, plain.pooled, atol=1e-5)
    assert torch.allclose(merged.unmerged(), plain.patches, atol=1e-5)


@pytest.mark.parametrize("pool", ["mean", "cls+mean", "own"])
def test_pooled_vectors_count_each_patch(pool):
    encoder = built(SPECS["registers"], pool=pool)
    [merged] = encoder.encode_pixels([image("registers", 5, 7)], merge_tokens=4)
    assert torch.allclose(merged.pooled[-16:], merged.unmerged().mean(0), atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(grids=GRIDS, by=st.integers(1, 30))
def test_every_patch_belongs_to_one_token(grids, by):
    encoder = built(SPECS["registers"])
    for result, (rows, cols) in zip(
        encoder.encode_pixels([image("registers", *grid) for grid in grids], merge_tokens=by), grids, strict=True
    ):
        held = [result.patches_of(token) for token in range(len(result.patches))]
        assert sorted(patch for patches in held for patch in patches) == list(range(rows * cols))
        assert [patches[0] for patches in held] == sorted(patches[0] for patches in held)
        assert len(result.prefix["reg"]) == 3
        assert list(result.boxes()) == [around(result.boxes_of(token)) for token in range(len(held))]
        assert torch.isfinite(result.patches).all()


@given(
    prefix=st.integers(0, 5), patches=st.integers(1, 12), by=st.integers(0, 12), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_places_leave_the_prefix_and_fill_every_place(prefix, patches, by, seed):
    keys = torch.randn(2, prefix + patches, 3, generator=torch.Generator().manual_seed(seed))
    going = min(by, patches // 2)
    places = new_places(keys, going, prefix)
    assert places[:, :prefix].tolist() == [list(range(prefix))] * 2
    for row in places.tolist():
        assert set(row) == set(range(prefix + patches - going))
        assert not set(row[:prefix]) & set(row[prefix:])


def test_keys_of_zeros_are_no_error():
    assert new_places(torch.zeros(1, 5, 2), 2, 1).tolist() == [[0, 1, 1, 2, 1]]


FAULTS = {
    "forgets sizes": lambda self: self.sizes.fill_(1.0),
    "counts places from the next segment": lambda self: self.places.add_(1).remainder_(self.frames[-1]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_merging_would_be_noticed(fault, monkeypatch):
    join = Merging.join

    def broken(self, x):
        x = join(self, x)
        FAULTS[fault](self)
        return x

    monkeypatch.setattr(Merging, "join", broken)
    with pytest.raises(AssertionError):
        test_the_algorithm_in_loops_gives_the_same("class", 4, "sdpa")


# ---------------------------------------------------------------- views, frames, files, refusals


def test_frames_of_a_video_are_merged_apart():
    """Each frame keeps its prefix, and no token holds patches of two frames."""
    spec = EncoderSpec(
        **PLAIN | {"patch": replace(PLAIN["patch"], frames=2)}, position=NoPosition(), prefix=(ClassToken(),),
    )  # fmt: skip
    encoder = built(spec)
    film = torch.randn(4, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    still = film[2:3].expand(2, -1, -1, -1)
    film = torch.cat([film[:2], still])
    result, alone = encoder.encode_pixels([film, still], merge_tokens=3)
    assert result.patches.shape == (18, 16)
    assert result.token_of_patch.unflatten(0, (2, 15)).amax(1).tolist() == [8, 17]
    assert torch.allclose(result.patches[9:], alone.patches, atol=1e-5)
    assert (result.token_of_patch[15:] - 9).tolist() == alone.token_of_patch.tolist()
    assert torch.allclose(result.prefix["cls"][1:], alone.prefix["cls"], atol=1e-5)


def test_views_of_a_picture_are_merged_apart():
    """Image tokens are left out; the tower behind them may still be read with merged tokens."""
    encoder = Encoder.from_pretrained(vlm_twin("idefics3").folder)
    [plain] = encoder.encode(PHOTOGRAPHS[:1], what=["patches"])
    [merged] = encoder.encode(PHOTOGRAPHS[:1], what=["patches"], merge_tokens=2)
    assert len(merged.views) > 1
    depth = encoder.module.spec.depth
    assert len(merged.patches) == sum(length(grid.patches, depth, 2) for grid in merged.grids)
    assert merged.unmerged().shape == plain.patches.shape
    starts = [0]
    for grid in merged.grids:
        starts.append(starts[-1] + grid.patches)
        held = set(merged.token_of_patch[starts[-2] : starts[-1]].tolist())
        assert len(held) == length(grid.patches, depth, 2)
        assert not held & set(merged.token_of_patch[starts[-1] :].tolist())
    assert len(list(merged.boxes())) == len(merged.patches)


def test_the_command_writes_the_way_back(run, tmp_path):
    folder, path = twin("dinov2-registers").folder, tmp_path / "t.npz"
    code, _, err = run("encode", PHOTOGRAPHS[0], "-m", folder, "-o", path, "--merge-tokens", "3", "--what", "patches")
    assert (code, err) == (0, "")
    [wanted] = Encoder.from_pretrained(folder).encode(PHOTOGRAPHS[:1], what=["patches"], merge_tokens=3)
    with np.load(path) as arrays:
        assert (arrays["0/patches"] == wanted.patches.numpy()).all()
        assert (arrays["0/token_of_patch"] == wanted.token_of_patch.numpy()).all()
    code, _, err = run("encode", PHOTOGRAPHS[0], "-m", folder, "-o", path, "--merge-tokens", "-3")
    assert (code, err.startswith("error: merge_tokens is -3")) == (2, True)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("class", {"merge_tokens": -1}, "merge_tokens is -1: it must be a whole number of at least 0"),
        ("class", {"merge_tokens": True}, "merge_tokens is True"),
        ("class", {"merge_tokens": [4]}, r"merge_tokens is \[4\]"),
        ("windows", {"merge_tokens": 4}, "windows of 3 x 3 patches, which would fall apart"),
        ("pooled tokens", {"merge_tokens": 4}, r"leave image_tokens out, for example with what=\['patches'\]"),
        ("class", {"merge_tokens": 4, "attention_maps": [0]}, "leave attention_maps out"),
    ],
)
def test_what_cannot_be_merged_says_why(spec, options, message):
    with pytest.raises(UsageError, match=message):
        built(SPECS[spec]).encode_pixels([image(spec, 4, 4)], **options)


def test_an_engine_that_cannot_weigh_is_refused():
    module = engine_module.VisionEncoder(SPECS["class"], "varlen")
    with pytest.raises(UsageError, match="choose sdpa"):
        module.check(Wanted(merge=2))


def test_merged_tokens_lack_a_token():
    [merged] = built(SPECS["class"]).encode_pixels([image("class", 2, 2)], merge_tokens=1)
    with pytest.raises(UsageError, match="token 2: there are tokens 0 to 1"):
        merged.patches_of(2)
    [pooled] = built(SPECS["class"]).encode_pixels([image("class", 2, 2)], merge_tokens=1, what=["pooled"])
    assert pooled.token_of_patch is None
    with pytest.raises(UsageError, match="there are no patches here"):
        pooled.unmerged()


# ---------------------------------------------------------------- the cost


@pytest.mark.parametrize("name", ["class", "two", "sinusoidal", "registers"])
def test_planned_multiply_adds_equal_torchs_counter(name):
    spec, sizes = TWO if name == "two" else SPECS[name], [(3, 5), (6, 6)]
    module = built(spec, "sdpa").module
    counter = FlopCounterMode(display=False)
    packed = pack([torch.zeros(3, rows * 4, cols * 4) for rows, cols in sizes], spec.patch, spec.prefix_tokens)
    with counter, torch.no_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        module(packed, Wanted(merge=2))
    steps = operations(spec, [Grid(rows, cols) for rows, cols in sizes], merge=2)
    assert sum(step.macs for step in steps) * 2 == counter.get_total_flops()
    assert sum(step.params for step in steps) == sum(parameter.numel() for parameter in module.parameters())


def test_a_plan_shrinks_with_the_tokens(run):
    assert plan("vit-b16-224", merge_tokens=0) == plan("vit-b16-224")
    # By hand: projections see 197, 189, ... tokens, the MLPs behind them 189, 181, ...
    entered, left = [197 - 8 * i for i in range(12)], [197 - 8 * i for i in range(1, 13)]
    blocks = sum(4 * n * 768**2 + 2 * n * n * 768 for n in entered) + sum(8 * n * 768**2 for n in left)
    compared = sum((n + 1) // 2 * (n // 2) * 64 for n in entered)
    assert plan("vit-b16-224", merge_tokens=8).macs.total == 196 * 768 * 768 + blocks + compared
    code, out, _ = run("plan", "-m", "vit-b16-224", "--merge-tokens", "8", "--json")
    assert code == 0
    assert json.loads(out)["macs"]["total"] == plan("vit-b16-224", merge_tokens=8).macs.total


def test_plans_refuse_what_encode_refuses():
    with pytest.raises(UsageError, match="windows of 8 x 8 patches"):
        plan("qwen2.5-vl-7b", width=300, height=300, merge_tokens=4)
    with pytest.raises(UsageError, match="no image tokens"):
        plan("llava-1.5-7b", merge_tokens=4)
