"""The drawings and the page of numbers, judged by geometry that is worked out here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vistoken import pixels
from vistoken.counting import TokenCount, count, count_views
from vistoken.errors import UsageError
from vistoken.geometry import Grid, Patch, Size
from vistoken.looking import Features, draw, numbers
from vistoken.looking.heat import anchors, mosaic, norm_map, paint, prefix_text, ramp, similarity
from vistoken.looking.ink import BOX, PREFIX, length, shorten, wrap
from vistoken.looking.panels import GUTTER, fit, remainder, seen, sight
from vistoken.looking.strip import encoder_line, prefix_tiles, prompt_line
from vistoken.looking.toy import toy
from vistoken.spec import ClassToken, Registers
from vistoken.views import Crop, Pad, Resize, View
from vistoken.views.rule import Tiling, ViewRule, cut

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "examples" / "images"
GREY = (128, 128, 128)


def plain(width: int, height: int, colour: tuple[int, int, int] = GREY) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def counted(model: str, picture: Image.Image) -> TokenCount:
    return count(model, width=picture.width, height=picture.height)


def smooth(grid: Grid, seed: int = 0) -> Features:
    random = np.random.default_rng(seed)
    row, col = (axis.ravel() for axis in np.mgrid[: grid.rows, : grid.cols])
    angles = row[:, None] * random.normal(size=16) / grid.rows + col[:, None] * random.normal(size=16) / grid.cols
    tokens = random.normal(size=(grid.patches, 8))
    return Features(tokens, np.concatenate([np.sin(angles), np.cos(angles)], 1), {"cls": 51.25}, "drawn at random")


def colours(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def shades(image: Image.Image) -> int:
    """How many different colours there are."""
    return len(np.unique(colours(image).reshape(-1, 3), axis=0))


def where(image: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (both included) of all pixels of one colour."""
    rows, cols = np.nonzero((colours(image) == colour).all(-1))
    return int(cols.min()), int(rows.min()), int(cols.max()), int(rows.max())


# ---------------------------------------------------------------- whole drawings


@pytest.mark.parametrize("with_features", [False, True])
@pytest.mark.parametrize(
    ("model", "source"),
    [
        ("clip-l14-336", "rocket.jpg"),
        ("siglip-so400m14-384", "chelsea.png"),
        ("qwen2.5-vl-7b", "coffee.png"),
        ("vistoken/front-end", "chelsea.png"),
        ("google/siglip2-so400m-patch16-naflex", (3000, 100)),
        ("google/siglip2-so400m-patch16-naflex", (100, 3000)),
        ("vit-b16-224", (1, 1)),
        ("vit-b16-224", (1300, 500)),
        ("clip-l14-336", (1300, 500)),
        ("qwen2.5-vl-7b", (1300, 500)),
        ("qwen2.5-vl-7b", (3000, 350)),
    ],
)
def test_drawings_have_a_page_s_size(model: str, source: str | tuple[int, int], with_features: bool) -> None:
    picture = pixels.load(str(IMAGES / source)) if isinstance(source, str) else plain(*source)
    result = counted(model, picture)
    features = smooth(result.views[0].grid) if with_features else None
    image = draw(picture, result, features, missing="the weights are missing")
    assert image.mode == "RGB"
    assert 1000 < image.width <= 1800
    assert 600 < image.height <= 2400
    assert where(image, BOX)
    edges = colours(image)
    assert (edges[:, -40:] == 255).all(), "something runs over the right margin"
    assert (edges[-40:] == 255).all(), "something runs over the bottom margin"


def test_the_crop_of_clip_stands_in_the_middle_of_the_drawing() -> None:
    """640x427: scaled to 503x336, cut at 83, hence 83 * 640 / 503 = 105.6 to 533.1 of 640 source pixels."""
    picture = plain(640, 427)
    left, top, right, bottom = where(draw(picture, counted("clip-l14-336", picture)), BOX)
    scale = 450 / 640
    assert left == 44 + round(105.6 * scale)
    assert right == 44 + round(533.1 * scale) - 1
    assert bottom - top + 1 == round(427 * scale)


def test_features_add_two_panels_and_missing_adds_a_line() -> None:
    picture = plain(224, 224)
    result = counted("vit-b16-224", picture)
    bare = draw(picture, result)
    assert draw(picture, result, missing="no weights").height == bare.height + 40 + 21
    tokens = smooth(result.views[0].grid)
    assert draw(picture, result, tokens).height > bare.height + 500
    assert draw(picture, result, Features()).height == bare.height


def test_a_large_source_is_drawn_fast() -> None:
    picture = plain(4000, 3000)
    result = counted("qwen2.5-vl-7b", picture)
    start = time.perf_counter()
    draw(picture, result)
    assert time.perf_counter() - start < 2


@dataclass(frozen=True)
class Grid12(ViewRule):
    """A rule of tiles for the test: the first `number` of 2 x 3 tiles of 448 pixels, over and over."""

    number: int

    patch, filter, kind = Patch.square(14), "bicubic", "test"

    def tiling(self, size):
        return Tiling(Grid(32, 32), 1, self.number)

    def views(self, size):
        tiles = cut(size, (Resize(Size(896, 1344), "bicubic"),), Size(448, 448), 2, 3, self.patch)
        return (tiles + tiles)[: self.number]


def test_several_views_are_drawn_up_to_eight() -> None:
    picture = plain(640, 427)
    result = counted("clip-l14-336", picture)
    four, eight, twelve = (count_views(replace(result.spec, rule=Grid12(number)), result.size) for number in (4, 8, 12))
    assert (
        encoder_line(four) == "In the encoder: 4 class tokens + 4,096 patches = 4,100 tokens in 4 views (below: view 0)"
    )
    sizes = [draw(picture, each, smooth(each.views[0].grid)).size for each in (four, eight, twelve)]
    assert sizes[0][1] < sizes[1][1] == sizes[2][1] <= 2400


def test_the_picture_must_be_the_one_that_was_counted() -> None:
    with pytest.raises(UsageError, match="the picture is 10x20 and the count is for 20x10"):
        draw(plain(10, 20), counted("vit-b16-224", plain(20, 10)))


def test_without_numpy_pictures_are_drawn_and_features_are_refused() -> None:
    program = """
import sys
sys.modules["numpy"] = None
from PIL import Image
from vistoken.counting import count
from vistoken.errors import MissingExtra
from vistoken.looking import Features, draw, numbers
picture = Image.new("RGB", (300, 200), "teal")
result = count("qwen2.5-vl-7b", width=300, height=200)
print(draw(picture, result, missing="weights").size[0] > 1000, len(numbers()) > 1000)
try:
    draw(picture, result, Features(tokens=[[1.0]]))
except MissingExtra as error:
    print(error)
print(sorted(name for name in sys.modules if name in ("torch", "transformers", "vistoken.encoding")))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines() == [
        "True True",
        "drawing features needs numpy, which is not installed: pip install 'vistoken[look]'",
        "[]",
    ], done.stderr


# ---------------------------------------------------------------- the source and its boxes


def test_a_crop_is_framed_and_what_lies_outside_is_dimmed() -> None:
    """800x400, of which CLIP sees the square from 200 to 600; drawn at half the size."""
    picture = plain(800, 400, (250, 250, 250))
    image = sight(picture, counted("clip-l14-336", picture).views, (400, 400))
    assert image.size == (400, 200)
    assert image.getpixel((100, 100)) == image.getpixel((299, 100)) == image.getpixel((200, 0)) == BOX
    assert image.getpixel((200, 100)) == (250, 250, 250)
    for x in (50, 99, 300, 350):
        assert max(image.getpixel((x, 100))) < 220, "what is not seen must be dimmed"


def test_black_is_dimmed_too() -> None:
    picture = plain(800, 400, (0, 0, 0))
    image = sight(picture, counted("clip-l14-336", picture).views, (400, 400))
    assert image.getpixel((200, 100)) == (0, 0, 0)
    assert min(image.getpixel((50, 100))) > 60


def test_the_unread_remainder_is_outside_of_the_box() -> None:
    """SigLIP reads 378 of 384 pixels: 27 patches of 14, hence 378/384 of the source."""
    picture = plain(384, 384)
    image = sight(picture, counted("siglip-so400m14-384", picture).views, (384, 384))
    assert image.getpixel((377, 200)) == BOX
    assert image.getpixel((378, 200)) not in (BOX, GREY)
    assert image.getpixel((200, 200)) == GREY


def test_a_native_view_without_steps_has_a_box() -> None:
    picture = plain(100, 50)
    image = sight(picture, counted("vistoken/front-end", picture).views, (100, 50))
    assert where(image, BOX) == (0, 0, 95, 47), "6 x 3 whole patches of 16"


def test_padding_widens_what_is_drawn() -> None:
    view = View.of(Size(100, 200), (Resize(Size(100, 200), "bicubic"), Pad(50, 0, Size(200, 200))), Patch.square(10))
    image = sight(plain(200, 100), (view,), (200, 200))
    assert image.size == (200, 200)
    assert image.getpixel((100, 100)) == GREY
    assert shades(image.crop((60, 10, 140, 45))) > 1, "padding is hatched"
    assert shades(image.crop((60, 60, 140, 140))) == 1


def test_several_boxes_are_numbered_and_nothing_between_them_is_dimmed() -> None:
    size, patch = Size(100, 200), Patch.square(10)
    views = tuple(View.of(size, (Crop(0, left, Size(100, 100)),), patch) for left in (0, 100))
    image = sight(plain(200, 100), views, (200, 100))
    assert image.getpixel((99, 50)) == image.getpixel((100, 50)) == BOX
    assert image.getpixel((50, 50)) == image.getpixel((150, 50)) == GREY
    assert image.getpixel((3, 5)) == BOX, "the tag of view 0"


# ---------------------------------------------------------------- the grid


def lines(image: Image.Image, y: int, ground: tuple[int, int, int] = GREY) -> list[int]:
    """Where a run of pixels that are not of the ground's colour begins, on the horizontal at `y`."""
    other = (colours(image)[y] != ground).any(-1)
    return [x for x in range(image.width) if other[x] and (x == 0 or not other[x - 1])]


def test_lines_stand_at_multiples_of_the_scaled_patch() -> None:
    """SigLIP: 384 pixels drawn at 1008, a patch of 14 is 36.75; what is behind the 27th is hatched."""
    picture = plain(384, 384)
    view = counted("siglip-so400m14-384", picture).views[0]
    image = seen(pixels.carry_out(picture, view), view, 1, (1008, 1008))
    assert image.size == (1008, 1008)
    y = round(5.75 * 36.75)
    found = lines(image.crop((0, 0, 990, 1008)), y)
    assert found == [round(36.75 * col) for col in range(27)]
    assert shades(image.crop((994, 400, 1008, 440))) > 1
    assert remainder(view) == "Hatched: 6 pixels at the right and 6 pixels at the bottom, which no patch reads."


def test_every_patch_is_numbered_where_there_is_room() -> None:
    picture = plain(224, 224)
    view = counted("vit-b16-224", picture).views[0]
    image = seen(pixels.carry_out(picture, view), view, 1, (896, 896))
    assert image.size == (896, 896), "no labels at the edges"
    cells = [image.crop((64 * col + 4, 64 * row + 4, 64 * col + 60, 64 * row + 30)) for row, col in view.grid.cells()]
    assert all(shades(cell) > 3 for cell in cells)
    assert len({cell.tobytes() for cell in cells}) == 196, "no two numbers look the same"


def test_small_cells_are_numbered_at_the_edges() -> None:
    picture = plain(588, 392)
    view = counted("qwen2.5-vl-7b", picture).views[0]
    image = seen(pixels.carry_out(picture, view), view, 2, (588, 588))
    assert image.size == (588 + GUTTER, 392 + 18)
    inner = image.crop((GUTTER, 18, *image.size))
    assert lines(inner, 7)[1] == 14
    assert shades(inner.crop((3, 3, 12, 12))) == 1, "no number inside of a cell"
    assert shades(image.crop((0, 18, GUTTER - 6, 40))) > 1


def test_merge_blocks_have_stronger_lines() -> None:
    picture = plain(588, 392)
    view = counted("qwen2.5-vl-7b", picture).views[0]
    image = seen(pixels.carry_out(picture, view), view, 2, (588, 588)).crop((GUTTER, 18, GUTTER + 588, 410))
    strength = np.abs(colours(image)[7] - GREY).sum(-1)
    weak, strong = (int(strength[x - 1 : x + 2].sum()) for x in (14, 28))
    assert strong > 2 * weak > 0


def test_many_patches_have_a_line_for_each_merge_block() -> None:
    picture = plain(1176, 1176)
    view = counted("qwen2.5-vl-7b", picture).views[0]
    image = seen(pixels.carry_out(picture, view), view, 2, (588, 588)).crop((GUTTER, 18, GUTTER + 588, 606))
    assert lines(image, 7)[:4] == [0, 14, 28, 42]


def test_even_the_thinnest_picture_is_drawn() -> None:
    assert fit(100_000, 1, (1500, 400)) == (1500, 24)
    assert fit(1, 100_000, (1000, 1000)) == (24, 1000)
    assert fit(336, 336, (1010, 1010)) == (1008, 1008), "small pictures are enlarged by whole numbers"
    picture = plain(8000, 40)
    draw(picture, counted("qwen2.5-vl-7b", picture))


# ---------------------------------------------------------------- the sequence


def test_lines_of_the_sequence() -> None:
    qwen = count("qwen2.5-vl-7b", width=1280, height=720)
    assert prompt_line(qwen) == "In the prompt: 26 x 46 = 1,196 image tokens after merging 2 x 2"
    assert encoder_line(qwen) == "In the encoder: 4,784 patches, drawn row by row"
    clip = count("clip-l14-336", width=1280, height=720)
    assert encoder_line(clip) == "In the encoder: 1 class token + 576 patches = 577 tokens"


def test_prefix_tokens_are_tiles_of_their_own() -> None:
    assert [tile.label for tile in prefix_tiles((ClassToken(), Registers(4)))] == [
        "cls",
        "reg 0",
        "reg 1",
        "reg 2",
        "reg 3",
    ]
    many = prefix_tiles((ClassToken(), Registers(16)))
    assert [tile.label for tile in many][-2:] == ["reg 4", "11 more"]
    assert many[-1].image is None
    picture = plain(224, 224)
    assert where(draw(picture, counted("vit-b16-224", picture)), PREFIX)[0] == 44
    picture = plain(384, 384)
    with pytest.raises(ValueError, match="zero-size"):
        where(draw(picture, counted("siglip-so400m14-384", picture)), PREFIX)


def test_text_is_kept_in_its_room() -> None:
    text = "a rather long name of a model that lives in a deep folder " * 4
    assert length(shorten(text, 15, 200), 15) <= 200
    assert shorten(text, 15, 200).endswith("...")
    assert all(length(line, 15) <= 180 for line in wrap(text + "x" * 90, 15, 180, indent="   "))
    assert " ".join(wrap(text, 15, 180)) == text.strip()


# ---------------------------------------------------------------- features


def test_similarity_is_the_cosine() -> None:
    vectors = np.array([[1, 0], [1, 1], [0, 2], [-3, 0], [0, 0]], np.float32)
    np.testing.assert_allclose(similarity(vectors, 0), [1, 0.5**0.5, 0, -1, 0], atol=1e-6)


def test_a_position_is_most_like_itself() -> None:
    grid = Grid(9, 12)
    vectors = smooth(grid).positions.astype(np.float32)
    for row, col in anchors(grid):
        alike = similarity(vectors, row * grid.cols + col)
        assert alike.argmax() == row * grid.cols + col
        assert alike.max() == pytest.approx(1)


def test_the_mosaic_shows_the_anchor_in_the_highest_colour() -> None:
    """Orthogonal positions on 6 x 6: 1 at the anchor, 0 elsewhere; maps of 60 pixels, cells of 10."""
    grid = Grid(6, 6)
    image = mosaic(np.eye(36, dtype=np.float32), grid, (200, 254))
    assert anchors(grid) == [(row, col) for row in (1, 3, 5) for col in (1, 3, 5)]
    for line, (row, col) in enumerate(anchors(grid)):
        top, left = 70 * (line // 3), 70 * (line % 3)
        assert image.getpixel((left + 10 * col + 5, top + 10 * row + 5)) == ramp()[-1]
        assert image.getpixel((left + 25, top + 5)) == ramp()[0]


def test_norms_are_painted_from_the_least_to_the_largest() -> None:
    vectors = np.diag(np.arange(1, 7)).astype(np.float32)
    image = norm_map(vectors, Grid(2, 3), (300, 254))
    assert image.getpixel((50, 50)) == ramp()[0]
    assert image.getpixel((250, 150)) == ramp()[-1]
    assert image.getpixel((150, 50)) == ramp()[51], "the second of six: a fifth of the way"


def test_what_is_not_finite_is_grey() -> None:
    values = np.array([[0.0, np.nan, 1.0]])
    image = paint(values, 0.0, 1.0, (3, 1))
    assert [image.getpixel((x, 0)) for x in range(3)] == [ramp()[0], (150, 160, 170), ramp()[-1]]
    broken = np.full((6, 2), np.nan, np.float32)
    assert norm_map(broken, Grid(2, 3), (300, 254)).size[0] >= 300
    assert mosaic(broken, Grid(2, 3), (300, 254)).getpixel((50, 5)) == (150, 160, 170)


def test_colours_grow_lighter_evenly() -> None:
    light = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in ramp()]
    assert len(ramp()) == 256
    assert all(after > before for before, after in zip(light, light[2:], strict=False))


@pytest.mark.parametrize("shape", [(195, 8), (197, 8), (196,), (196, 0), (14, 14, 8)])
@pytest.mark.parametrize("name", ["tokens", "positions"])
def test_features_need_a_vector_for_every_patch(shape: tuple[int, ...], name: str) -> None:
    picture = plain(224, 224)
    with pytest.raises(UsageError, match=rf"{name} has shape .*it must be \(196, dim\)"):
        draw(picture, counted("vit-b16-224", picture), Features(**{name: np.ones(shape)}))


def test_prefix_norms_are_told() -> None:
    assert prefix_text({"cls": 51.25, "reg 0": 3.0}) == "Prefix tokens: cls 51.25, reg 0 3"
    assert prefix_text({}) == ""


# ---------------------------------------------------------------- the page of numbers


def test_the_page_fits_a_terminal() -> None:
    page = numbers().splitlines()
    assert len(page) <= 45
    assert max(map(len, page)) <= 80
    assert all(line == line.rstrip() for line in page)
    assert numbers().isascii()


def test_the_toy_equals_numpy() -> None:
    values = toy()
    image = np.array(values.image)
    patches = image.reshape(2, 4, 2, 4).swapaxes(1, 2).reshape(4, 16)
    np.testing.assert_array_equal(values.patches, patches)
    weight = np.array(values.weight)
    np.testing.assert_array_equal(weight @ weight.T, np.eye(4) / 16)
    signs = np.sign(weight).reshape(4, 4, 4)
    assert (signs[0] == 1).all()
    assert (signs[1] == np.array([-1, -1, 1, 1])).all()
    assert (signs[2] == np.array([-1, -1, 1, 1])[:, None]).all()
    assert (signs[3] == (-1.0) ** np.add.outer(range(4), range(4))).all()
    row, col = np.repeat([0, 1], 2), np.tile([0, 1], 2)
    positions = np.stack([np.sin(row), np.cos(row), np.sin(col), np.cos(col)], 1)
    expected = np.concatenate([[values.class_token], patches @ weight.T + positions])
    assert np.array(values.sequence).shape == (5, 4)
    np.testing.assert_allclose(values.sequence, expected, atol=1e-12)


def test_every_value_of_the_toy_is_on_the_page() -> None:
    values, page = toy(), numbers()
    for line in values.patches:
        assert " ".join(map(str, line)) in page
    for vector in (*values.projected, *values.positions, *values.sequence):
        assert "[" + " ".join(f"{value:5.2f}" for value in vector) + "]" in page
    for vector in values.projected:
        assert all(round(value, 2) == value for value in vector), "what is printed is exact"


def test_the_toy_equals_the_encoder_s_own_parts() -> None:
    torch = pytest.importorskip("torch")
    from vistoken.encoding import sinusoidal_2d

    values = toy()
    image, weight = torch.tensor(values.image).double()[None, None], torch.tensor(values.weight).double()
    projected = torch.nn.functional.conv2d(image, weight.view(4, 1, 4, 4), stride=4).flatten(2)[0].T
    np.testing.assert_allclose(values.projected, projected.numpy(), atol=1e-12)
    np.testing.assert_allclose(values.positions, sinusoidal_2d(2, 2, 4).numpy(), atol=1e-6)
