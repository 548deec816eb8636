"""The encoder: laws first, then the reference on the same random weights, then files."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from conftest import PHOTOGRAPHS  # noqa: E402
from evidence import agree  # noqa: E402
from PIL import Image  # noqa: E402
from plain import pixels_of  # noqa: E402
from twins import NAMES, close, tokens_of, twin  # noqa: E402

from vistoken.counting import count  # noqa: E402
from vistoken.encoding import Encoder, pack  # noqa: E402
from vistoken.encoding.inputs import Failed  # noqa: E402
from vistoken.errors import InputError, UsageError  # noqa: E402
from vistoken.geometry import Patch  # noqa: E402

# Pixel sizes: native is added for each; larger and smaller, non-square, with a remainder, one patch thin.
SIZES = [(80, 56), (43, 101), (14, 140)]


def pixels(*sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, *size, generator=generator) for size in sizes]


def encoder_of(name, attention="sdpa", **options):
    return Encoder.from_pretrained(twin(name).folder, attention=attention, **options)


# ---------------------------------------------------------------- parity


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_tokens_and_pooled_vector_equal_the_reference(name, attention):
    t = twin(name)
    encoder = encoder_of(name, attention)
    for size in [(t.own, t.own), *SIZES]:
        [image] = pixels(size)
        tokens, pooled = t.forward(image[None])
        [result] = encoder.encode_pixels([image])
        assert result.attention == attention
        agree(t.folder, "tokens", tokens_of(result), tokens[0], size[::-1])
        if pooled is None:
            assert result.pooled is None
        else:
            agree(t.folder, "pooled", result.pooled, pooled[0], size[::-1])


@pytest.mark.parametrize("name", NAMES)
def test_mixed_sizes_in_one_pack_equal_the_reference_one_by_one(name):
    t = twin(name)
    images = pixels((t.own, t.own), *SIZES, (t.own, t.own))
    for result, image in zip(encoder_of(name).encode_pixels(images), images, strict=True):
        close(tokens_of(result), t.forward(image[None])[0][0])


@pytest.mark.parametrize("name", ["vit", "clip-projected", "siglip", "naflex", "dinov2-registers", "dinov3-registers"])
def test_bfloat16_stays_near_the_reference(name):
    t = twin(name)
    [image] = pixels((t.own, t.own))
    tokens, _ = t.forward(image[None])
    [result] = encoder_of(name, dtype="bfloat16").encode_pixels([image])
    got = tokens_of(result)
    assert got.dtype == torch.bfloat16
    # Relative norm a token: bfloat16 keeps 8 bits, and three blocks with weights of 0.3 amplify.
    error = (got.float() - tokens[0]).norm(dim=1) / tokens[0].norm(dim=1)
    assert error.max() < 0.05, error.max()


@pytest.mark.parametrize("name", [name for name in NAMES if "-" not in name] + ["clip-gelu", "dinov2-registers"])
def test_photographs_end_to_end(name):
    """The same pixels as the reference's PIL processor, and the same tokens from them."""
    t, encoder = twin(name), encoder_of(name)
    for path, result in zip(PHOTOGRAPHS, encoder.encode(PHOTOGRAPHS), strict=True):
        picture = Image.open(path).convert("RGB")
        theirs = t.processor(picture, return_tensors="pt")
        prepared = encoder.prepare(path)
        mine = pixels_of(prepared, encoder.spec)
        if name == "naflex":
            rows, cols = theirs["spatial_shapes"][0].tolist()
            assert (result.grids[0].rows, result.grids[0].cols) == (rows, cols)
            cells = theirs["pixel_values"][0, : rows * cols].reshape(rows, cols, 8, 8, 3)
            image = cells.permute(4, 0, 2, 1, 3).reshape(3, rows * 8, cols * 8)
        else:
            image = theirs["pixel_values"][0]
        assert torch.equal(mine, image), f"{path.name}: pixels differ by {(mine - image).abs().max()}"
        close(tokens_of(result), t.forward(image[None])[0][0])


@pytest.mark.parametrize("grid", [(1, 1), (1, 5), (5, 1), (36, 1), (2, 1), (1, 36)])
@pytest.mark.parametrize("name", ["naflex", "dinov2-registers", "siglip", "dinov2", "dinov3-registers", "aimv2-native"])
def test_grids_of_one_row_or_column(name, grid):
    """One column is where torch's antialiased kernels depend on strides, see `resize_table`."""
    t = twin(name)
    [image] = pixels((grid[0] * t.patch, grid[1] * t.patch))
    tokens, pooled = t.forward(image[None])
    [result] = encoder_of(name).encode_pixels([image])
    close(tokens_of(result), tokens[0])
    close(result.pooled, pooled[0])


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("act", ["gelu", "gelu_new", "quick_gelu", "silu"])
def test_other_activations_and_depths(tmp_path, layers, act):
    import transformers as hf
    from twins import HALF, redraw

    config = hf.ViTConfig(hidden_size=24, num_attention_heads=1, intermediate_size=40, num_hidden_layers=layers,
                          hidden_act=act, image_size=[32, 32], patch_size=8, layer_norm_eps=1e-3)  # fmt: skip
    module = hf.ViTModel(config, add_pooling_layer=False).eval()
    redraw(module)
    module.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(__import__("json").dumps(HALF))
    [image] = pixels((40, 24))
    [result] = Encoder.from_pretrained(str(tmp_path)).encode_pixels([image])
    with torch.no_grad():
        close(tokens_of(result), module(image[None], interpolate_pos_encoding=True).last_hidden_state[0])


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_packed_equals_one_by_one_in_any_order(name, attention):
    t = twin(name)
    encoder = encoder_of(name, attention)
    images = pixels((t.own, t.own), *SIZES, (56, 56), (56, 56))
    alone = [encoder.encode_pixels([image])[0] for image in images]
    order = [3, 0, 5, 1, 4, 2]
    together = encoder.encode_pixels([images[index] for index in order])
    for place, index in enumerate(order):
        close(tokens_of(together[place]), tokens_of(alone[index]), 1e-5)
        if alone[index].pooled is not None:
            close(together[place].pooled, alone[index].pooled, 1e-5)


def test_splitting_into_packs_does_not_matter():
    encoder = encoder_of("dinov2-registers")
    images = pixels(*SIZES, (70, 70), (28, 28))
    whole = encoder.encode_pixels(images)
    for max_tokens in (1, 50, 10_000):
        for one, other in zip(whole, encoder.encode_pixels(images, max_tokens=max_tokens), strict=True):
            close(tokens_of(one), tokens_of(other), 1e-5)


def test_the_laws_would_notice_a_leak_between_images():
    """A negative control: attention over the whole pack is not what one by one gives."""
    encoder = encoder_of("vit")
    images = pixels((32, 32), (80, 56))
    alone = encoder.encode_pixels(images[:1])[0]
    for block in encoder.module.blocks:
        attend = block.attention.attend
        block.attention.attend = lambda q, k, v, a, b, scale, attend=attend: attend(
            q, k, v, (0, len(q)), (0, len(k)), scale
        )
    leaked = encoder.encode_pixels(images)[0]
    assert (tokens_of(leaked) - tokens_of(alone)).abs().max() > 1e-2


def test_mask_is_block_diagonal():
    packed = pack([torch.zeros(3, 8, 16), torch.zeros(3, 8, 8)], Patch.square(8), prefix_tokens=1)
    assert packed.offsets == (0, 3, 5)
    wanted = [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]
    assert packed.mask().int().tolist() == wanted


def test_mask_is_refused_where_it_would_be_huge():
    with pytest.raises(UsageError, match="sdpa"):
        pack([torch.zeros(3, 1600, 1600)], Patch.square(8)).mask()


def test_patches_are_cut_in_raster_order():
    image = torch.arange(3 * 5 * 9).reshape(3, 5, 9).float()  # one row and one column do not fill a 2 x 4 patch
    packed = pack([image], Patch(height=2, width=4))
    wanted = [image[:, r : r + 2, c : c + 4].flatten() for r in (0, 2) for c in (0, 4)]
    assert torch.equal(packed.patches, torch.stack(wanted))


@pytest.mark.parametrize("name", [*NAMES, "vistoken/front-end"])
def test_count_equals_what_encode_returns(name):
    """200 random sizes a family, from 1x1 to thin ones; the front end needs a patch of 16 pixels."""
    folder = name if "/" in name else twin(name).folder
    encoder = Encoder.from_pretrained(folder)
    generator = np.random.default_rng(len(name))
    sides = np.exp(generator.uniform(0, np.log(400), (200, 2))).astype(int)
    sides[:4] = [(1, 1), (1, 60), (300, 3), (7, 13)]
    if "/" in name:
        sides = np.maximum(sides, 16)
    images = [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in sides.tolist()]
    for (height, width), result in zip(sides.tolist(), encoder.stream(images, channels="last"), strict=True):
        counted = count(folder, width=width, height=height)
        assert counted.patches == len(result.patches) == len(list(result.boxes()))
        assert counted.prefix_tokens == sum(map(len, result.prefix.values()))
        assert tuple(view.grid for view in counted.views) == result.grids


def test_input_feeds_the_encoder_directly():
    encoder = encoder_of("dinov2")
    [result] = encoder.encode([PHOTOGRAPHS[0]], input="140x98")
    assert (result.grids[0].rows, result.grids[0].cols) == (7, 10)
    assert count(twin("dinov2").folder, width=512, height=512, input="140x98").patches == len(result.patches)


def test_a_turned_picture_is_turned_once(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(PHOTOGRAPHS[-1]).save(tmp_path / "turned.jpg", exif=exif)
    from vistoken import pixels as pixel_module

    loaded = pixel_module.load(tmp_path / "turned.jpg")
    encoder = Encoder.from_pretrained("vistoken/front-end")
    one, other = encoder.encode([tmp_path / "turned.jpg", loaded])
    assert str(one.grids[0]) == "40 x 26"
    assert one.grids == other.grids
    assert torch.equal(one.patches, other.patches)
    assert count("vistoken/front-end", image=loaded).views == one.views


def test_boxes_of_a_centre_crop_lie_in_its_middle():
    [result] = encoder_of("clip-projected").encode([Image.new("RGB", (600, 400))])
    boxes = list(result.boxes())
    assert (boxes[0].left, boxes[0].top) == pytest.approx((100, 0))
    assert (boxes[-1].right, boxes[-1].bottom) == pytest.approx((500, 400))


# ---------------------------------------------------------------- the front door


def test_inputs_of_every_kind_give_the_same():
    encoder, path = encoder_of("siglip"), PHOTOGRAPHS[0]
    picture = Image.open(path)
    with open(path, "rb") as file:
        results = encoder.encode([path, str(path), picture, np.asarray(picture), file])
    for result in results[1:]:
        assert torch.equal(result.patches, results[0].patches)
    assert results[1].source == str(path)


def test_embed_returns_pooled_vectors():
    encoder = encoder_of("clip-projected")
    vectors = encoder.embed(PHOTOGRAPHS)
    assert vectors.shape == (6, 24)
    assert vectors.dtype == np.float32
    unit = encoder.embed(PHOTOGRAPHS, normalize_embeddings=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-5)
    assert encoder.embed([]).shape == (0, 24)


def test_embed_without_a_pooled_vector_says_so():
    with pytest.raises(UsageError, match="no pooled vector of its own"):
        encoder_of("siglip-no-head").embed(PHOTOGRAPHS)


@pytest.mark.parametrize("name", ["vit", "clip-projected", "siglip", "dinov2-registers", "siglip-no-head"])
def test_pooling_by_choice(name):
    """Mean over the patches and class token of the reference's own tokens, after its last norm; prefix tokens out."""
    t, mean = twin(name), encoder_of(name, pool="mean")
    prefix = mean.module.spec.prefix_tokens
    norm = t.module.vision_model.post_layernorm if name == "clip-projected" else torch.nn.Identity()
    for image in pixels((80, 56), (t.own, t.own), (43, 101)):
        with torch.no_grad():
            normed = norm(t.forward(image[None])[0][0])
        close(mean.encode_pixels([image])[0].pooled, normed[prefix:].mean(0))
        if prefix:
            close(encoder_of(name, pool="cls").encode_pixels([image])[0].pooled, normed[0])
        if name == "siglip":
            close(encoder_of(name, pool="attention").encode_pixels([image])[0].pooled, t.forward(image[None])[1][0])
    assert mean.embed(PHOTOGRAPHS[:1]).shape == (1, 48)
    if not prefix:
        with pytest.raises(UsageError, match="needs a class token"):
            encoder_of(name, pool="cls")
    if name != "siglip":
        with pytest.raises(UsageError, match="needs weights of a pooling head"):
            encoder_of(name, pool="attention")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_gives_the_same(name):
    images = pixels((twin(name).own,) * 2, *SIZES)
    there = encoder_of(name, device="cuda").encode_pixels(images)
    for one, other in zip(there, encoder_of(name).encode_pixels(images), strict=True):
        close(tokens_of(one).cpu(), tokens_of(other))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_variable_length_attention_gives_the_same(name):
    images = pixels((twin(name).own,) * 2, *SIZES)
    one = encoder_of(name, "varlen", device="cuda", dtype="bfloat16").encode_pixels(images)
    other = encoder_of(name, "sdpa", device="cuda", dtype="bfloat16").encode_pixels(images)
    for ours, theirs in zip(one, other, strict=True):
        a, b = tokens_of(ours).float(), tokens_of(theirs).float()
        assert ((a - b).norm(dim=1) / b.norm(dim=1)).max() < 0.05


def test_variable_length_attention_says_what_it_needs():
    with pytest.raises(UsageError, match=r"varlen.*CUDA in bfloat16"):
        encoder_of("vit", "varlen")


def test_stream_is_lazy():
    taken = []

    def pictures():
        for number in range(50):
            taken.append(number)
            yield Image.new("RGB", (32, 32))

    stream = encoder_of("vit").stream(pictures(), max_tokens=40)
    next(stream)
    assert len(taken) < 5


def test_a_bad_picture_is_named_with_its_position(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(PHOTOGRAPHS[3].read_bytes()[:5000] if PHOTOGRAPHS[3].suffix == ".jpg" else b"text")
    with pytest.raises(InputError, match=r"picture 1 .*broken\.jpg"):
        encoder_of("vit").encode([PHOTOGRAPHS[0], broken])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([torch.zeros(4, 8, 8)], r"image 0 has shape \(4, 8, 8\)"),
        ([torch.zeros(3, 32, 32), torch.zeros(3, 4, 32)], "image 1 is 32x4, smaller than one 8x8 patch"),
        ([torch.zeros(3, 32)], "image 0 has shape"),
        ([torch.zeros(3, 32, 32, dtype=torch.uint8)], "image 0 is torch.uint8: it must be a float tensor"),
        ([np.zeros((3, 32, 32), np.float32)], "image 0 is ndarray"),
    ],
)
def test_wrong_tensors_are_refused(images, message):
    with pytest.raises(InputError, match=message):
        encoder_of("vit").encode_pixels(images)


def test_wrong_arrays_are_refused():
    for array in (np.zeros((8, 8, 3), np.float32), np.zeros((3, 8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises((InputError, UsageError), match=r"must be|channels|no pixels"):
            encoder_of("vit").encode([array])


def test_a_bad_picture_becomes_an_entry_in_its_place():
    encoder = encoder_of("vit")
    images = [PHOTOGRAPHS[0], "missing.jpg", np.zeros((8, 9, 3), np.uint8), b"no picture", PHOTOGRAPHS[1]]
    results = encoder.encode(images, on_error="return")
    assert [isinstance(result, Failed) for result in results] == [False, True, False, True, False]
    assert [result.index for result in results if isinstance(result, Failed)] == [1, 3]
    assert "picture 1 (missing.jpg)" in str(results[1].error)
    for index in (0, 2, 4):
        assert torch.equal(results[index].patches, encoder.encode([images[index]])[0].patches)
    with pytest.raises(InputError, match=r"picture 1 \(missing.jpg\)"):
        encoder.encode(images)


def test_unknown_words_are_refused():
    encoder = encoder_of("vit")
    for options in ({"layer": [1]}, {"what": ["patchs"]}, {"what": ["image_tokens"]}, {"layers": [9]}, {"max_token": 5},
                    {"attention_maps": [3]}, {"layers": ["1"]}, {"on_error": "skip"}, {"channels": "middle"}):  # fmt: skip
        with pytest.raises(UsageError):
            encoder.encode(PHOTOGRAPHS[:1], **options)


@pytest.mark.parametrize(
    "options", [{"attention": "flash"}, {"dtype": "float16"}, {"dtype": "int8"}, {"pool": "max"}, {"device": "cuba"}]
)
def test_unknown_options_are_refused(options):
    with pytest.raises(UsageError):
        encoder_of("vit", **options)


@pytest.mark.parametrize("images", ["photo.jpg", PHOTOGRAPHS[0], Image.new("RGB", (8, 8)), b"bytes", 5])
def test_one_picture_is_not_a_list_of_pictures(images):
    with pytest.raises(UsageError, match="list of pictures"):
        encoder_of("vit").encode(images)


@pytest.mark.parametrize("image", [None, 5, torch.zeros(3, 32, 32), ["photo.jpg"]])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises((UsageError, InputError), match=r"picture 0 \("):
        encoder_of("vit").encode([image])
