"""What comes out: layers, attention, pooled vectors and files, against the reference and plain formulas."""

from itertools import chain, combinations
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import transformers as hf  # noqa: E402
from conftest import PHOTOGRAPHS  # noqa: E402
from PIL import Image  # noqa: E402
from twins import NAMES, arguments, close, tokens_of, tower_of, twin  # noqa: E402
from vlm_twins import BUILDERS, vlm_twin  # noqa: E402

from vistoken.encoding import Encoder  # noqa: E402
from vistoken.encoding.connecting import Connecting  # noqa: E402
from vistoken.encoding.passing import Asked  # noqa: E402
from vistoken.encoding.writing import open_writer  # noqa: E402
from vistoken.errors import InputError, UsageError  # noqa: E402

VLMS = tuple(BUILDERS)
WHAT = ("patches", "prefix", "pooled", "image_tokens")


def noise(height, width, seed=0):
    generator = np.random.default_rng(seed)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


def pixels(height, width, seed=0):
    return torch.randn(3, height, width, generator=torch.Generator().manual_seed(seed))


def encoder_of(name, **options):
    return Encoder.from_pretrained(twin(name).folder, **options)


def subsets(words):
    return chain.from_iterable(combinations(words, count) for count in range(len(words) + 1))


# ---------------------------------------------------------------- hidden states


@torch.no_grad()
def run_tower(t, image, **asked):
    """The reference's whole output for one picture; its tuple of hidden states begins with what enters block 0."""
    tower = tower_of(t.module)
    if isinstance(tower, hf.Siglip2VisionModel):
        rows, cols = image.shape[1] // t.patch, image.shape[2] // t.patch
        cells = image[:, : rows * t.patch, : cols * t.patch].reshape(3, rows, t.patch, cols, t.patch)
        cells = cells.permute(1, 3, 2, 4, 0).reshape(1, rows * cols, -1)
        return tower(cells, torch.ones(1, rows * cols, dtype=torch.int32), torch.tensor([[rows, cols]]), **asked)
    return tower(image[None], **arguments(tower, image[None]), **asked)


def last_norm(t):
    tower = tower_of(t.module)
    return next(
        getattr(tower, name) for name in ("post_layernorm", "layernorm", "rms_norm", "norm") if hasattr(tower, name)
    )


@pytest.mark.parametrize("name", NAMES)
def test_layers_equal_the_reference(name):
    """All hidden states, by both numbers each, raw and normed, at the own size and at another one, in one pack."""
    t, encoder = twin(name), encoder_of(name)
    depth = encoder.module.spec.depth
    # The reference's table of AIMv2 fits its own size alone.
    others = [pixels(t.own, t.own, seed) if name in ("aimv2", "aimv2-lit") else pixels(*size, seed)
              for seed, size in ((1, (80, 56)), (2, (43, 101)))]  # fmt: skip
    images = [pixels(t.own, t.own), *others]
    numbers = [*range(depth + 1), *range(-depth - 1, 0)]
    raw = encoder.encode_pixels(images, layers=numbers)
    has_norm = encoder.module.spec.final_norm != "none"  # InternViT has none
    normed = encoder.encode_pixels(images, layers=numbers, normed_layers=has_norm)
    for image, one, other in zip(images, raw, normed, strict=True):
        wanted = run_tower(t, image, output_hidden_states=True).hidden_states
        assert len(wanted) == depth + 1
        assert list(one.layers) == numbers
        for number in numbers:
            close(tokens_of(one.layers[number]), wanted[number][0])
            if has_norm:
                with torch.no_grad():
                    close(tokens_of(other.layers[number]), last_norm(t)(wanted[number])[0])
        if encoder.module.spec.final_norm == "all":
            close(tokens_of(other.layers[-1]), tokens_of(one), 1e-6)
        else:  # CLIP hands out patches without the norm
            close(tokens_of(one.layers[-1]), tokens_of(one), 1e-6)


@pytest.mark.parametrize("layers", [[4], [-5], ["1"], [True], [0, 99], [1.0]])
def test_layers_that_are_not_there_are_refused(layers):
    with pytest.raises(UsageError, match=r"hidden states 0 to 3, or -1 to -4|give whole numbers"):
        encoder_of("vit").encode_pixels([pixels(32, 32)], layers=layers)


OTHERS = ("language", "video_tower", "merger")  # whose lists may be as long


def blocks_of(module, depth):
    """The blocks of the vision tower inside a vision-language model, wherever it keeps them."""
    found = [
        child
        for name, child in module.named_modules()
        if isinstance(child, torch.nn.ModuleList) and len(child) == depth and not any(other in name for other in OTHERS)
    ]
    assert found, f"no list of {depth} blocks"
    return found[0]


@torch.no_grad()
def reference_states(t, picture, depth):
    """What enters the first block and what leaves each one, rows in the reference's own order, padding included."""
    states = []

    def enters(block, args, kwargs):
        given = next(value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor))
        states.append(given.flatten(0, -2).clone())

    def leaves(block, args, out):
        states.append((out if isinstance(out, torch.Tensor) else out[0]).flatten(0, -2).clone())

    blocks = blocks_of(t.module, depth)
    handles = [blocks[0].register_forward_pre_hook(enters, with_kwargs=True)]
    handles += [block.register_forward_hook(leaves) for block in blocks]
    try:
        t.features(t.module, t.inputs(picture))
    finally:
        for handle in handles:
            handle.remove()
    # A tower may run more than once, for views of several sizes: its rows one run after another.
    assert states
    assert len(states) % (depth + 1) == 0
    return [torch.cat(states[number :: depth + 1]) for number in range(depth + 1)]


def places_of(mine, theirs):
    """For each of our rows the reference's row that holds the same numbers, no row twice."""
    distances = torch.cdist(mine.double(), theirs.double(), compute_mode="donot_use_mm_for_euclid_dist")
    places = distances.argmin(dim=1)
    assert len(set(places.tolist())) == len(mine)
    return places


@pytest.mark.parametrize("name", VLMS)
def test_layers_of_vision_language_towers_equal_the_reference(name):
    """The reference may keep another order (windows, blocks): one and the same in every layer."""
    t = vlm_twin(name)
    encoder = Encoder.from_pretrained(t.folder)
    depth = encoder.module.spec.depth
    pictures = [noise(140, 196, 1), noise(97, 211, 2)]
    for picture, result in zip(pictures, encoder.encode(pictures, layers=range(depth + 1)), strict=True):
        theirs = reference_states(t, picture, depth)
        # By all layers at once: padding of several tiles begins with the same numbers.
        mine = torch.cat([result.layers[number].patches for number in range(depth + 1)], dim=1)
        places = places_of(mine, torch.cat(theirs, dim=1))
        for number in range(depth + 1):
            close(result.layers[number].patches, theirs[number][places])


def test_a_layer_in_another_order_would_be_noticed():
    """A negative control: with two patches exchanged, the order that layer 0 shows fails in layer 1."""
    t = vlm_twin("qwen2.5-vl")
    [result] = Encoder.from_pretrained(t.folder).encode([noise(140, 196)], layers=[0, 1])
    theirs = reference_states(t, noise(140, 196), 4)
    places = places_of(result.layers[0].patches, theirs[0])
    places[[3, 20]] = places[[20, 3]]
    with pytest.raises(AssertionError, match="differs by"):
        close(result.layers[1].patches, theirs[1][places])


def test_normed_layers_need_a_norm():
    encoder = Encoder.from_pretrained("vistoken/front-end")
    with pytest.raises(UsageError, match="no last norm"):
        encoder.encode_pixels([pixels(32, 32)], layers=[0], normed_layers=True)


# ---------------------------------------------------------------- attention


@pytest.mark.parametrize("name", ["vit", "deit", "clip-tower", "siglip", "naflex", "dinov2", "dinov2-registers"])
def test_attention_equals_the_reference(name):
    """Every block, two sizes in one pack, whichever engine runs."""
    t = twin(name)
    tower_of(t.module).set_attn_implementation("eager")
    try:
        images = [pixels(t.own, t.own), pixels(80, 56, 1)]
        wanted = [run_tower(t, image, output_attentions=True).attentions for image in images]
    finally:
        tower_of(t.module).set_attn_implementation("sdpa")
    for engine in ("sdpa", "reference"):
        results = encoder_of(name, attention=engine).encode_pixels(images, attention_maps=[2, 0, 1])
        for result, theirs in zip(results, wanted, strict=True):
            assert list(result.attention_maps) == [2, 0, 1]
            for block in range(3):
                [weights] = result.attention_maps[block]
                assert weights.dtype == torch.float32
                torch.testing.assert_close(weights, theirs[block][0], rtol=0, atol=1e-4)
                torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), rtol=0, atol=1e-5)


@torch.no_grad()
def reference_attention(t, picture, monkeypatch):
    """Weights of every call of Qwen2.5-VL's eager attention (its `attentions` are attention's output, not weights)."""
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as library

    calls, eager = [], library.eager_attention_forward

    def recorded(*args, **kwargs):
        out, weights = eager(*args, **kwargs)
        calls.append(weights[0])
        return out, weights

    monkeypatch.setattr(library, "eager_attention_forward", recorded)
    tower = t.module.model.visual
    tower.set_attn_implementation("eager")
    try:
        t.features(t.module, t.inputs(picture))
    finally:
        tower.set_attn_implementation("sdpa")
    return calls


@pytest.mark.parametrize("size", [(140, 196), (168, 112), (28, 84)])
def test_attention_within_windows_equals_the_reference(monkeypatch, size):
    """Windows and whole frames, ragged at the border: each weight between two patches, by their places in the picture.

    The reference calls attention window by window; a patch that it does not see is not in the call.
    """
    t = vlm_twin("qwen2.5-vl")
    picture = noise(*size)
    [result] = Encoder.from_pretrained(t.folder).encode([picture], attention_maps=range(4), layers=[0])
    grid, calls = result.grids[0], reference_attention(t, picture, monkeypatch)
    order = places_of(reference_states(t, picture, 4)[0], result.layers[0].patches)  # raster place of their rows
    side = 4
    windows = [
        torch.tensor([row * grid.cols + col for row in range(top, min(top + side, grid.rows))
                      for col in range(left, min(left + side, grid.cols))])
        for top in range(0, grid.rows, side) for left in range(0, grid.cols, side)
    ]  # fmt: skip
    whole = [torch.arange(grid.patches)]
    for block in range(4):
        segments = whole if block in (1, 3) else windows
        theirs, mine = torch.zeros(2, 2, grid.patches, grid.patches)
        start = 0
        for _ in segments:
            weights = calls.pop(0)
            places = order[start : start + weights.shape[1]]
            theirs[:, places[:, None], places] = weights
            start += len(places)
        for places, weights in zip(segments, result.attention_maps[block], strict=True):
            assert weights.shape == (2, len(places), len(places))
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), rtol=0, atol=1e-5)
            mine[:, places[:, None], places] = weights
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-4)
    assert not calls


@pytest.mark.parametrize("name", VLMS)
def test_attention_of_pictures_in_one_pack_stays_apart(name):
    encoder = Encoder.from_pretrained(vlm_twin(name).folder)
    pictures = [noise(56, 84, 1), noise(140, 196, 2), noise(56, 84, 3)]
    together = encoder.encode(pictures, attention_maps=[0, 1])
    for picture, packed in zip(pictures, together, strict=True):
        [alone] = encoder.encode([picture], attention_maps=[0, 1])
        for block in (0, 1):
            for one, other in zip(packed.attention_maps[block], alone.attention_maps[block], strict=True):
                torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
                torch.testing.assert_close(one.sum(-1), torch.ones(one.shape[:-1]), rtol=0, atol=1e-5)


def test_attention_of_some_heads_is_that_part_of_all():
    encoder, image = encoder_of("dinov2-registers"), pixels(70, 56)
    [whole] = encoder.encode_pixels([image], attention_maps=[1, 2])
    [some] = encoder.encode_pixels([image], attention_maps=[1, 2], attention_heads=[3, 0])
    for block in (1, 2):
        torch.testing.assert_close(some.attention_maps[block][0], whole.attention_maps[block][0][[3, 0]])
    for wishes in ({"attention_maps": [1], "attention_heads": [4]}, {"attention_heads": [0]}):
        with pytest.raises(UsageError, match="heads"):
            encoder.encode_pixels([image], **wishes)


@pytest.mark.parametrize("blocks", [[3], [-1], ["0"], [True]])
def test_attention_of_blocks_that_are_not_there_is_refused(blocks):
    with pytest.raises(UsageError, match=r"there are blocks 0 to 2|give whole numbers"):
        encoder_of("vit").encode_pixels([pixels(32, 32)], attention_maps=blocks)


# ---------------------------------------------------------------- what was asked for, and nothing else


class Calls:
    """Counts how often modules of some kinds run."""

    def __init__(self, modules):
        self.count = 0
        for module in modules:
            module.register_forward_hook(self._called)

    def _called(self, *_):
        self.count += 1


@pytest.mark.parametrize("words", list(subsets(WHAT[:3])))
@pytest.mark.parametrize("name", ["siglip", "dinov2-registers", "clip-projected"])
def test_only_what_was_asked_for_comes_out(name, words):
    encoder = encoder_of(name)
    pools = Calls(encoder.module.pooling)
    [result] = encoder.encode_pixels([pixels(80, 56)], what=words)
    [whole] = encoder_of(name).encode_pixels([pixels(80, 56)])
    assert (result.patches is None) == ("patches" not in words)
    assert (result.pooled is None) == ("pooled" not in words)
    assert pools.count == ("pooled" in words)
    assert tuple(result.prefix) == (tuple(whole.prefix) if "prefix" in words else ())
    assert result.image_tokens is None
    assert result.layers == {}
    assert result.attention_maps == {}
    for key, tensor in result.arrays().items():
        assert torch.equal(tensor, whole.arrays()[key])


@pytest.mark.parametrize("words", list(subsets(WHAT)))
def test_image_tokens_are_made_only_where_they_were_asked_for(words):
    encoder = Encoder.from_pretrained(vlm_twin("qwen2.5-vl").folder, pool="mean")
    calls = Calls(module for module in encoder.module.modules() if isinstance(module, Connecting))
    pools = Calls(encoder.module.pooling)
    [result] = encoder.encode([noise(84, 84)], what=list(words))
    assert calls.count == ("image_tokens" in words)
    assert pools.count == ("pooled" in words)
    assert (result.image_tokens is None) == ("image_tokens" not in words)
    assert (result.patches is None) == ("patches" not in words)
    assert (result.pooled is None) == ("pooled" not in words)
    if result.image_tokens is None:
        for method in (result.token_boxes, result.position_ids):
            with pytest.raises(UsageError, match="no image tokens here"):
                method()


def test_one_word_is_a_list_of_one():
    [result] = encoder_of("vit").encode_pixels([pixels(32, 32)], what="patches")
    assert result.patches is not None
    assert result.pooled is None


@pytest.mark.parametrize(("what", "message"), [
    (["tokens"], "what is 'tokens'"), ("pooled_output", "what is 'pooled_output'"), ([None], "what is None"),
    (["image_tokens"], "no image tokens"), (5, "what is 5"), ([["patches"]], "what is"),
])  # fmt: skip
def test_words_that_mean_nothing_are_refused(what, message):
    with pytest.raises(UsageError, match=message):
        encoder_of("vit").encode_pixels([pixels(32, 32)], what=what)


# ---------------------------------------------------------------- registers


@pytest.mark.parametrize("name", ["dinov2-registers", "dinov2-classifier"])
def test_registers_never_stand_among_patches(name):
    """Values and shapes against the reference's own slices, in every layer too."""
    t, encoder = twin(name), encoder_of(name)
    registers = t.module.config.num_register_tokens
    images = [pixels(70, 84), pixels(28, 140, 1)]
    for image, result in zip(images, encoder.encode_pixels(images, layers=[0, 2]), strict=True):
        out = run_tower(t, image, output_hidden_states=True)
        cells = (image.shape[1] // 14) * (image.shape[2] // 14)
        for mine, theirs in (
            (result, out.last_hidden_state),
            *((result.layers[n], out.hidden_states[n]) for n in (0, 2)),
        ):
            assert mine.patches.shape == (cells, 48)
            assert {key: len(tokens) for key, tokens in mine.prefix.items()} == {"cls": 1, "reg": registers}
            close(mine.prefix["cls"], theirs[0, :1])
            close(mine.prefix["reg"], theirs[0, 1 : 1 + registers])
            close(mine.patches, theirs[0, 1 + registers :])


# ---------------------------------------------------------------- pools


@pytest.mark.parametrize("name", ["vit", "deit", "clip-projected", "siglip", "naflex", "dinov2-registers"])
def test_pools_are_plain_formulas_on_the_returned_tokens(name):
    images = [pixels(80, 56), pixels(twin(name).own, twin(name).own, 1), pixels(43, 101, 2)]
    norm = last_norm(twin(name)) if name == "clip-projected" else torch.nn.Identity()
    wanted = {
        "cls": lambda r: norm(r.prefix["cls"])[0],
        "mean": lambda r: norm(r.patches).mean(0),
        "cls+mean": lambda r: torch.cat([norm(r.prefix["cls"])[0], norm(r.patches).mean(0)]),
    }
    for pool, formula in wanted.items():
        if pool != "mean" and name in ("siglip", "naflex"):
            with pytest.raises(UsageError, match="needs a class token"):
                encoder_of(name, pool=pool)
            continue
        encoder = encoder_of(name, pool=pool)
        for result in encoder.encode_pixels(images):
            with torch.no_grad():
                close(result.pooled, formula(result), 1e-6)
            assert result.pooled.shape == (encoder.module.pooled_dim,)


@pytest.mark.parametrize("name", ["siglip", "naflex"])
def test_the_attention_pool_reads_the_returned_tokens(name):
    """The reference's own head on our patches."""
    head = tower_of(twin(name).module).head
    for pool in ("own", "attention"):
        for result in encoder_of(name, pool=pool).encode_pixels([pixels(80, 56), pixels(43, 101)]):
            with torch.no_grad():
                close(result.pooled, head(result.patches[None])[0], 1e-5)


def test_mean_of_several_frames_is_over_patches_alone():
    t = vlm_twin("qwen2.5-vl")
    film = torch.randn(4, 3, 56, 84, generator=torch.Generator().manual_seed(0))
    [result] = Encoder.from_pretrained(t.folder, pool="mean").encode_pixels([film])
    assert result.grids[0].frames == 2
    close(result.pooled, result.patches.mean(0), 1e-6)


# ---------------------------------------------------------------- several views


def several_views(encoder, tiles):
    """Prepared pictures whose views are tiles: what families with tiles hand to the engine."""
    from dataclasses import replace

    prepared = [encoder.prepare(noise(60, 90, seed), input=encoder.spec.own_size) for seed in range(sum(tiles))]
    for count in tiles:
        group, prepared = prepared[:count], prepared[count:]
        yield replace(
            group[0],
            views=tuple(view for one in group for view in one.views),
            patches=tuple(patches for one in group for patches in one.patches),
        )


@pytest.mark.parametrize("name", ["clip-projected", "dinov2-registers"])
def test_several_views_are_their_views_one_after_another(name):
    encoder = encoder_of(name)
    asked = Asked.of(encoder.module, {"layers": [-2], "attention_maps": [1]})
    singles = list(encoder.run(several_views(encoder, [1] * 6), asked=asked))
    joined = list(encoder.run(several_views(encoder, [1, 3, 2]), max_tokens=40, asked=asked))
    for result in joined:
        parts, singles = singles[: len(result.views)], singles[len(result.views) :]
        close(result.patches, torch.cat([part.patches for part in parts]), 1e-5)
        close(result.layers[-2].patches, torch.cat([part.layers[-2].patches for part in parts]), 1e-5)
        for key in result.prefix:
            close(result.prefix[key], torch.cat([part.prefix[key] for part in parts]), 1e-5)
        pooled = torch.stack([part.pooled for part in parts])
        close(result.pooled, pooled if len(parts) > 1 else pooled[0], 1e-5)
        assert len(result.attention_maps[1]) == len(parts)


def test_embedding_a_picture_of_several_views_is_refused(monkeypatch):
    """One vector a picture: where a picture has several views, each has one, and none of them is the picture's."""
    encoder = encoder_of("clip-projected")
    results = list(encoder.run(several_views(encoder, [1, 2])))
    monkeypatch.setattr(encoder, "stream", lambda *_, **__: iter(results))
    with pytest.raises(UsageError, match="has 2 views"):
        encoder.embed([])


# ---------------------------------------------------------------- types and files


def write_tokens(path, results, model):
    with open_writer(path, model) as writer:
        for result in results:
            writer.add(result)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_arrays_numpy_and_files_hold_the_same(tmp_path, dtype):
    from safetensors import safe_open
    from safetensors.torch import load_file

    encoder = encoder_of("dinov2-registers", dtype=dtype)
    asked = Asked.of(encoder.module, {"layers": [0, -1], "attention_maps": [2]})
    results = list(encoder.run(several_views(encoder, [1, 3, 2]), asked=asked))
    kind = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    for suffix in (".safetensors", ".npz"):
        write_tokens(str(tmp_path / f"tokens{suffix}"), results, "twin")
    tensors, arrays = load_file(tmp_path / "tokens.safetensors"), np.load(tmp_path / "tokens.npz")
    names = {f"{index}/{key}" for index, result in enumerate(results) for key in result.arrays()}
    assert set(tensors) == names
    assert set(arrays) == names | {"metadata"}
    for index, result in enumerate(results):
        numpy = result.numpy()
        for key, tensor in result.arrays().items():
            assert torch.equal(tensors[f"{index}/{key}"], tensor)
            assert tensors[f"{index}/{key}"].dtype == tensor.dtype
            assert np.array_equal(
                arrays[f"{index}/{key}"], tensor.float().numpy() if tensor.is_floating_point() else tensor
            )
            assert np.array_equal(numpy[key], arrays[f"{index}/{key}"])
            if key != "grids" and not key.startswith("attention."):
                assert tensor.dtype == kind, key
        assert {"patches", "pooled", "prefix.cls", "prefix.reg", "layers.0.patches", "layers.-1.prefix.reg",
                "attention.2.0", "grids"} <= set(numpy)  # fmt: skip
        assert numpy["grids"].tolist() == [[grid.frames, grid.rows, grid.cols] for grid in result.grids]
    with safe_open(tmp_path / "tokens.safetensors", "pt") as file:
        assert file.metadata()["model"] == "twin"


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_files_hold_image_tokens(tmp_path, suffix):
    from safetensors.numpy import load_file

    encoder = Encoder.from_pretrained(vlm_twin("qwen2.5-vl").folder)
    results = encoder.encode([noise(84, 56), noise(28, 28)], attention_maps=[0, 1])
    path = tmp_path / f"tokens{suffix}"
    write_tokens(str(path), results, "twin")
    stored = load_file(path) if suffix == ".safetensors" else dict(np.load(path))
    for index, result in enumerate(results):
        for key, array in result.numpy().items():
            assert np.array_equal(stored[f"{index}/{key}"], array)
        assert stored[f"{index}/image_tokens"].shape == (len(list(result.token_boxes())), 40)


def test_bfloat16_layers_stay_near():
    t = vlm_twin("qwen2.5-vl")
    picture = noise(140, 196)
    [wanted] = Encoder.from_pretrained(t.folder).encode([picture], layers=range(5))
    [got] = Encoder.from_pretrained(t.folder, dtype="bfloat16").encode([picture], layers=range(5))
    for number in range(5):
        mine, exact = got.layers[number].patches, wanted.layers[number].patches
        assert mine.dtype == torch.bfloat16
        error = (mine.float() - exact).norm(dim=1) / exact.norm(dim=1)
        # Eight bits of mantissa in every number, and four blocks with weights of 0.3 that amplify.
        assert error.max() < (0.01 if number == 0 else 0.1), (number, error.max())


def test_results_of_one_pack_can_be_changed_by_themselves():
    """What a caller writes into one result is not seen in another, nor in what comes next."""
    encoder = Encoder.from_pretrained(vlm_twin("qwen2.5-vl").folder, pool="mean")
    pictures = [noise(56, 56), noise(56, 56, 1)]
    first = encoder.encode(pictures, layers=[0])
    kept = [{key: tensor.clone() for key, tensor in result.arrays().items()} for result in first]
    for tensor in first[0].arrays().values():
        tensor.fill_(7)
    again = encoder.encode(pictures, layers=[0])
    for key, tensor in kept[1].items():
        assert torch.equal(first[1].arrays()[key], tensor), key
    for result, wanted in zip(again, kept, strict=True):
        for key, tensor in wanted.items():
            assert torch.equal(result.arrays()[key], tensor), key


def test_a_probe_can_be_trained_on_what_comes_out():
    """Results are ordinary tensors: autograd may keep them."""
    encoder = Encoder.from_pretrained(vlm_twin("qwen2.5-vl").folder, pool="mean")
    [result] = encoder.encode([noise(56, 56)], layers=[1])
    for tokens in (result.patches, result.pooled, result.image_tokens, result.layers[1].patches):
        probe = torch.nn.Linear(tokens.shape[-1], 2)
        probe(tokens).square().sum().backward()
        assert probe.weight.grad.abs().max() > 0


def test_bad_names_of_files_are_refused(tmp_path):
    results = encoder_of("vit").encode_pixels([pixels(32, 32)])
    with pytest.raises((UsageError, InputError, ValueError), match=r"tokens\.pt"):
        write_tokens(str(tmp_path / "tokens.pt"), results, "twin")


def test_the_order_of_rows_would_be_noticed():
    """A negative control for `tokens_of`: patches before prefix are not what the reference returns."""
    t = twin("dinov2-registers")
    [result] = encoder_of(t.name).encode_pixels([pixels(70, 70)])
    moved = SimpleNamespace(prefix={"patches": result.patches}, patches=torch.cat(list(result.prefix.values())))
    with pytest.raises(AssertionError, match="differs by"):
        close(tokens_of(moved), t.forward(pixels(70, 70)[None])[0][0])


# ---------------------------------------------------------------- what a reader of results relies on


def test_a_result_keeps_no_other_pictures_alive():
    """A slice of the pack would hold, and pickle, all of it."""
    encoder = Encoder.from_pretrained(vlm_twin("qwen2.5-vl").folder)
    picture = Image.open(PHOTOGRAPHS[0]).convert("RGB")
    pooled = encoder_of("siglip").encode([picture] * 3)[1].pooled
    tokens = encoder.encode([picture] * 3)[1].image_tokens
    for tensor in (pooled, tokens):
        assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def test_a_tensor_that_cannot_become_image_tokens_is_named():
    encoder = Encoder.from_pretrained(vlm_twin("qwen2.5-vl").folder)
    with pytest.raises(InputError, match=r"image 1: a grid of 3 x 3 patches cannot be cut into blocks of 2 x 2"):
        encoder.encode_pixels([torch.randn(3, 28, 28), torch.randn(3, 42, 42)])
    encoder.encode_pixels([torch.randn(3, 42, 42)], what=["patches"])


def test_a_picture_past_the_position_tables_is_a_failure_of_its_own():
    encoder = Encoder.from_pretrained(vlm_twin("gemma4").folder)
    picture = Image.open(PHOTOGRAPHS[0]).convert("RGB")
    [failed] = encoder.encode([picture], input="12x4200", on_error="return")
    assert "does not fit position tables of 900 rows" in str(failed.error)


@pytest.mark.parametrize(
    "wishes",
    [{"max_tokens": 0}, {"max_tokens": "8"}, {"max_tokens": None}, {"max_image_pixels": -1}, {"layers": "1"},
     {"layers": 1.5}, {"attention_maps": "0"}, {"layers": {"a"}}],
)  # fmt: skip
def test_numbers_that_are_none_are_refused(wishes):
    with pytest.raises(UsageError, match="whole number"):
        encoder_of("vit").encode([np.zeros((8, 9, 3), np.uint8)], **wishes)


def test_one_number_or_numpys_will_do():
    encoder = encoder_of("vit")
    image = [np.zeros((8, 9, 3), np.uint8)]
    assert list(encoder.encode(image, layers=-1)[0].layers) == [-1]
    assert list(encoder.encode(image, layers=np.arange(2), attention_maps=None)[0].layers) == [0, 1]


def test_embed_takes_what_encode_takes():
    encoder, array = encoder_of("vit"), np.zeros((3, 8, 9), np.uint8)
    vectors = encoder.embed([array], channels="first", max_tokens=5)
    [result] = encoder.encode([array], channels="first")
    assert np.array_equal(vectors[0], result.pooled.numpy())
