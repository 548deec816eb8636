"""Boxes against pixels: a coloured square in a large picture changes exactly the tokens whose boxes meet it.

The encoders have no blocks and random projections, so that a token tells what its own patches saw, and nothing else.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image, ImageOps  # noqa: E402

from vistoken import registry  # noqa: E402
from vistoken.connector import AveragePool, Connector, Linear, MergeBlocks, Unpadded  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.encoding.frontend import seed_parameters  # noqa: E402
from vistoken.encoding.model import VisionEncoder  # noqa: E402
from vistoken.geometry import Box  # noqa: E402
from vistoken.model_spec import Later  # noqa: E402
from vistoken.spec import ClassToken, EncoderSpec, LayerNorm, NoPosition, PlainMlp, Registers  # noqa: E402
from vistoken.views import Crop, Pad, Resize  # noqa: E402

# How far Pillow's filters reach, in pixels of the larger grid (Pillow, `src/libImaging/Resample.c`).
REACH = {"box": 0.5, "bilinear": 1.0, "hamming": 1.0, "bicubic": 2.0, "lanczos": 3.0, "nearest": 0.5}
WIDTH, HEIGHT = 1000, 740
# Left, top, side: inside, in two corners, across the middle, where tiles meet, and along a thin line.
SQUARES = ((613, 207, 90), (0, 0, 40), (965, 705, 35), (480, 350, 40), (330, 20, 30))


def encoder_without_blocks(name, connector=None, prefix=()):
    """The published view rule of `name` in front of a random projection."""
    spec = registry.describe(name)
    described = EncoderSpec(
        patch=spec.known_rule().patch, dim=4, depth=0, heads=1, norm=LayerNorm(1e-6), mlp=PlainMlp(4, "gelu"),
        position=NoPosition(), prefix=prefix, final_norm="none", connector=connector,
    )  # fmt: skip
    module = VisionEncoder(described)
    seed_parameters(module, 1)
    return Encoder(replace(spec, tower=Later(lambda: described)), module)


@cache
def picture(width=WIDTH, height=HEIGHT):
    """Dark noise: the square below differs from it everywhere by at least 155 of 255."""
    generator = np.random.default_rng(width)
    return Image.fromarray(generator.integers(0, 100, (height, width, 3), dtype=np.uint8))


def painted(image, square):
    left, top, side = square
    image = image.copy()
    image.paste((255, 255, 255), (left, top, left + side, top + side))
    return image


@dataclass(frozen=True)
class Axis:
    """One direction of a view: how far beyond a box its pixels were read, and how large one of its pixels is."""

    halo: float
    pixel: float


def axes(view):
    """Down and across: the reach of all resizes, in pixels of the source."""
    halo, pixel, size = [0.0, 0.0], [1.0, 1.0], view.source
    for step in view.steps:
        if isinstance(step, Resize):
            pairs = ((size.height, step.size.height), (size.width, step.size.width))
            for axis, (before, after) in enumerate(pairs):
                scale = before / after
                if before != after:  # Pillow leaves an axis alone that keeps its size
                    # A pixel is read from its centre, half of it inside the box, to whole pixels.
                    halo[axis] += (REACH[step.filter] * max(scale, 1) - scale / 2 + 1) * pixel[axis]
                pixel[axis] *= scale
        else:
            assert isinstance(step, Crop | Pad)
        size = step.size
    return tuple(Axis(reach, max(side, 1.0)) for reach, side in zip(halo, pixel, strict=True))


def overlap(low, high, start, end):
    return min(high, end) - max(low, start)


def check(boxes, views, changed, square, slack=0.0):
    """Strict both ways: what meets the square by a pixel of its view changed, and what changed meets it in its reach.

    `views` has the view of each box; `slack` widens both margins by that many of the box's own sides.
    """
    left, top, side = square
    assert len(boxes) == len(changed) == len(views)
    known = {id(view): axes(view) for view in views}
    lit = 0
    for box, view, differs in zip(boxes, views, changed, strict=True):
        down, across = known[id(view)]
        high = overlap(box.top, box.bottom, top, top + side)
        wide = overlap(box.left, box.right, left, left + side)
        if high >= down.pixel + slack * box.height and wide >= across.pixel + slack * box.width:
            assert differs, f"{box} meets {square} and did not change"
            lit += 1
        if high <= -down.halo - slack * box.height or wide <= -across.halo - slack * box.width:
            assert not differs, f"{box} does not meet {square} and changed"
    return lit


def differing(one, other):
    return (one != other).any(dim=1).tolist()


def views_of(result):
    return [view for view in result.views for _ in range(view.grid.patches)]


# ---------------------------------------------------------------- patches

# Cropping, padding, stretching, native size, tiles of every kind with and without an overview, windows that overlap.
MODELS = (
    "openai/clip-vit-base-patch32", "facebook/dinov2-small", "facebook/deit-tiny-distilled-patch16-224",
    "google/siglip-base-patch16-224", "google/siglip2-base-patch16-naflex", "vistoken/front-end",
    "Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen3-VL-8B-Instruct", "deepseek-community/Janus-Pro-1B",
    "deepseek-community/deepseek-vl-1.3b-chat", "deepseek-ai/deepseek-vl2-tiny", "OpenGVLab/InternVL3-8B-hf",
    "HuggingFaceM4/Idefics3-8B-Llama3", "HuggingFaceM4/idefics2-8b", "llava-hf/llava-v1.6-mistral-7b-hf",
    "llava-hf/llava-onevision-qwen2-7b-ov-hf", "google/gemma-3-4b-it", "google/gemma-4-E2B-it",
    "mistral-community/pixtral-12b", "meta-llama/Llama-4-Scout-17B-16E-Instruct", "LiquidAI/LFM2-VL-450M",
    "meta-llama/Llama-3.2-11B-Vision-Instruct", "openbmb/MiniCPM-V-2_6", "allenai/Molmo2-4B", "thisisiron/Ovis2-1B-hf",
    "facebook/Perception-LM-1B", "microsoft/Phi-4-multimodal-instruct", "lerobot/pi0_base", "rhymes-ai/Aria",
    "CohereLabs/command-a-vision-07-2025", "stepfun-ai/Step-3.7-Flash", "moonshotai/Kimi-VL-A3B-Instruct",
)  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_square_lights_up_the_patches_that_it_meets(name):
    encoder = encoder_without_blocks(name)
    pictures = [picture(), *(painted(picture(), square) for square in SQUARES)]
    plain, *others = encoder.encode(pictures)
    boxes, views = list(plain.boxes()), views_of(plain)
    lit = [check(boxes, views, differing(plain.patches, other.patches), square)
           for other, square in zip(others, SQUARES, strict=True)]  # fmt: skip
    assert lit[0] > 0
    assert lit[3] > 0


@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch32", "OpenGVLab/InternVL3-8B-hf",
                                  "deepseek-community/Janus-Pro-1B", "Qwen/Qwen2.5-VL-3B-Instruct"])  # fmt: skip
@pytest.mark.parametrize("size", [(310, 1210), (1210, 310), (97, 61)])
def test_thin_and_small_pictures_too(name, size):
    encoder, (width, height) = encoder_without_blocks(name), size
    side = min(size) // 4
    square = (width // 2 - side // 2, height // 2 - side // 3, side)
    plain, other = encoder.encode([picture(*size), painted(picture(*size), square)])
    assert check(list(plain.boxes()), views_of(plain), differing(plain.patches, other.patches), square) > 0


# The raw picture that a camera stores for an upright one (EXIF 2.32, tag 0x0112).
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch32", "OpenGVLab/InternVL3-8B-hf",
                                  "deepseek-community/Janus-Pro-1B", "google/siglip2-base-patch16-naflex",
                                  "Qwen/Qwen2.5-VL-3B-Instruct", "llava-hf/llava-v1.6-mistral-7b-hf"])  # fmt: skip
@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_lie_in_the_upright_picture(tmp_path, name, orientation):
    encoder, square = encoder_without_blocks(name), SQUARES[0]
    paths = [tmp_path / "plain.png", tmp_path / "square.png"]
    for path, upright in zip(paths, (picture(), painted(picture(), square)), strict=True):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = upright.transpose(STORED[orientation]) if orientation > 1 else upright
        stored.save(path, exif=exif, compress_level=0)
        with Image.open(path) as saved:
            assert np.array_equal(np.asarray(ImageOps.exif_transpose(saved)), np.asarray(upright))
    plain, other = encoder.encode(paths)
    assert check(list(plain.boxes()), views_of(plain), differing(plain.patches, other.patches), square) > 0
    assert plain.scene.size.width == WIDTH


def test_prefix_tokens_have_no_boxes():
    encoder = encoder_without_blocks("OpenGVLab/InternVL3-8B-hf", prefix=(ClassToken(), Registers(3)))
    plain, other = encoder.encode([picture(), painted(picture(), SQUARES[0])])
    assert check(list(plain.boxes()), views_of(plain), differing(plain.patches, other.patches), SQUARES[0]) > 0
    views = len(plain.views)
    assert {key: len(tokens) for key, tokens in plain.prefix.items()} == {"cls": views, "reg": 3 * views}
    for key in plain.prefix:
        assert torch.equal(plain.prefix[key], other.prefix[key])


@pytest.mark.parametrize(("across", "down"), [(1, 0), (0, 1), (-1, 0), (0, -1)])
@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch32", "llava-hf/llava-v1.6-mistral-7b-hf"])
def test_boxes_at_a_wrong_place_would_be_noticed(name, across, down):
    """A negative control: boxes one patch away fail."""
    encoder = encoder_without_blocks(name)
    plain, other = encoder.encode([picture(), painted(picture(), SQUARES[0])])
    boxes = [
        Box(box.left + across * box.width, box.top + down * box.height,
            box.right + across * box.width, box.bottom + down * box.height)
        for box in plain.boxes()
    ]  # fmt: skip
    with pytest.raises(AssertionError, match="change"):
        check(boxes, views_of(plain), differing(plain.patches, other.patches), SQUARES[0])


# ---------------------------------------------------------------- image tokens

CONNECTORS = {
    "qwen2.5-vl": ("Qwen/Qwen2.5-VL-3B-Instruct", Connector(stages=(MergeBlocks(2), Linear(5)))),
    "internvl": ("OpenGVLab/InternVL3-8B-hf", Connector(stages=(MergeBlocks(2), Linear(5)))),
    "idefics3": ("HuggingFaceM4/Idefics3-8B-Llama3", Connector(stages=(MergeBlocks(2, "channels"), Linear(5)))),
    "gemma3": ("google/gemma-3-4b-it", Connector(stages=(AveragePool(4), Linear(5)))),
    "clip": ("openai/clip-vit-base-patch32", Connector(stages=(Linear(5),))),
    "llava-next": ("llava-hf/llava-v1.6-mistral-7b-hf", Connector(stages=(Linear(5),), arrangement=Unpadded())),
    "llava-onevision": (
        "llava-hf/llava-onevision-qwen2-7b-ov-hf", Connector(stages=(Linear(5),), arrangement=Unpadded(most=9)),
    ),
}  # fmt: skip


def token_views(result):
    """The view whose pixels a token shows; those of the tiles' part share one scale."""
    views = [view for view, grid in zip(result.views, result.image_grids, strict=True) for _ in range(grid.patches)]
    if isinstance(result.scene.connector.arrangement, Unpadded):
        first = result.image_grids[0].patches
        views = views[:first] + [result.views[-1]] * (len(result.image_tokens) - first)
    return views


def check_tokens(plain, other, square, slack=0.0):
    boxes = list(plain.token_boxes())
    rows = list(zip(boxes, token_views(plain), differing(plain.image_tokens, other.image_tokens), strict=True))
    assert not any(differs for box, _, differs in rows if box is None)
    kept = [row for row in rows if row[0] is not None]
    return check(*(list(part) for part in zip(*kept, strict=True)), square, slack)


@pytest.mark.parametrize("name", CONNECTORS)
def test_a_square_lights_up_the_image_tokens_that_it_meets(name):
    encoder = encoder_without_blocks(*CONNECTORS[name])
    plain, *others = encoder.encode([picture(), *(painted(picture(), square) for square in SQUARES)])
    lit = [check_tokens(plain, other, square) for other, square in zip(others, SQUARES, strict=True)]
    assert lit[0] > 0
    assert lit[3] > 0


@pytest.mark.parametrize("size", [(1700, 1700), (2290, 1500)])
def test_image_tokens_that_were_shrunk_keep_their_places(size):
    """Above 9 tiles' worth the tokens are interpolated, so that each also shows a little of its neighbours."""
    encoder, (width, height) = encoder_without_blocks(*CONNECTORS["llava-onevision"]), size
    squares = (width // 2, height // 2, 90), (width - 120, height - 200, 100)
    plain, *others = encoder.encode([picture(*size), *(painted(picture(*size), square) for square in squares)])
    assert len(plain.views) > 1 + 9 * 1.21
    for other, square in zip(others, squares, strict=True):
        assert check_tokens(plain, other, square, slack=0.75) > 0


@pytest.mark.parametrize("size", [(1000, 740), (740, 1000), (1400, 300)])
@pytest.mark.parametrize("name", ["llava-next", "llava-onevision"])
def test_newlines_have_no_box(name, size):
    encoder = encoder_without_blocks(*CONNECTORS[name])
    [result] = encoder.encode([picture(*size)])
    newline = encoder.module.connector.newline
    boxes = list(result.token_boxes())
    ends = [index for index, box in enumerate(boxes) if box is None]
    assert ends == [i for i, token in enumerate(result.image_tokens) if torch.equal(token, newline)]
    first = result.image_grids[0].patches
    rows = np.diff([first - 1, *ends])
    assert len(set(rows.tolist())) == 1  # all lines are equally long, each with its newline
    assert ends[-1] == len(boxes) - 1


@pytest.mark.parametrize("name", ["qwen2.5-vl", "internvl", "idefics3", "gemma3", "clip"])
def test_boxes_of_merged_tokens_are_unions_of_their_patches_boxes(name):
    encoder = encoder_without_blocks(*CONNECTORS[name])
    side = encoder.module.spec.connector.side
    [result] = encoder.encode([picture()])
    merged, patches = list(result.token_boxes()), list(result.boxes())
    start, index = 0, 0
    for view, grid in zip(result.views, result.image_grids, strict=True):
        assert (grid.rows * side, grid.cols * side) == (view.grid.rows, view.grid.cols)
        for row, col in grid.cells():
            block = [patches[start + (row * side + down) * view.grid.cols + col * side + across]
                     for down in range(side) for across in range(side)]  # fmt: skip
            box = merged[index]
            assert box.left == pytest.approx(min(part.left for part in block))
            assert box.top == pytest.approx(min(part.top for part in block))
            assert box.right == pytest.approx(max(part.right for part in block))
            assert box.bottom == pytest.approx(max(part.bottom for part in block))
            index += 1
        start += view.grid.patches
    assert index == len(merged)


def test_tiles_with_a_remainder_keep_their_places():
    """27 patches of 14 pixels fill 378 of a tile's 384: the next tile's first token begins at 384, not at 378."""
    encoder = encoder_without_blocks(*CONNECTORS["llava-onevision"])
    [result] = encoder.encode([Image.new("RGB", (768, 768))])
    boxes = list(result.token_boxes())[729:]
    assert [box.left for box in boxes[26:29]] == [364, 384, 398]
    assert boxes[55 * 27].top == 384
