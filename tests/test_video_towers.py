"""Towers whose patches span frames: videos and pictures in one pack against the reference, and frames kept apart."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from twins import close  # noqa: E402
from vlm_twins import vlm_twin  # noqa: E402

from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import InputError  # noqa: E402

NAMES = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl", "qwen3.5", "glm-4v")
SHAPES = [(6, 4, 6), (1, 10, 4), (2, 2, 2), (4, 12, 14), (1, 6, 6), (8, 4, 6)]  # frames, rows and columns of patches


def pixels(twin, seed=0):
    """Videos (F, 3, H, W), and pictures (3, H, W) where there is one frame."""
    generator, side = torch.Generator().manual_seed(seed), twin.module.config.vision_config.patch_size
    for frames, rows, cols in SHAPES:
        film = torch.randn(frames, 3, rows * side, cols * side, generator=generator)
        yield film if frames > 1 else film[0]


def patchify(image, side, merge=2, span=2):
    """As the reference's processors flatten: frame groups, blocks of `merge` x `merge`, then (channel, frame, y, x)."""
    film = image if image.ndim == 4 else image.expand(span, *image.shape)
    groups, rows, cols = len(film) // span, film.shape[2] // side, film.shape[3] // side
    cells = film.reshape(groups, span, 3, rows // merge, merge, side, cols // merge, merge, side)
    flat = cells.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(groups * rows * cols, -1)
    return flat, torch.tensor([[groups, rows, cols]])


@torch.no_grad()
def reference(twin, image):
    """Image tokens, and deepstack where the tower has it."""
    flat, grid = patchify(image, twin.module.config.vision_config.patch_size)
    out = twin.module.get_video_features(flat, grid)
    return torch.cat(out.pooler_output), [torch.cat(part) for part in getattr(out, "deepstack_features", None) or ()]


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_videos_and_pictures_in_one_pack_equal_the_reference(name, attention):
    twin = vlm_twin(name)
    encoder = Encoder.from_pretrained(twin.folder, attention=attention)
    images = list(pixels(twin))
    for image, result, (frames, rows, cols) in zip(images, encoder.encode_pixels(images), SHAPES, strict=True):
        wanted, deepstack = reference(twin, image)
        close(result.image_tokens, wanted)
        [alone] = encoder.encode_pixels([image])
        close(alone.image_tokens, wanted)
        groups = max(1, frames // 2)
        assert [(g.frames, g.rows, g.cols) for g in result.grids] == [(groups, rows, cols)]
        assert len(result.patches) == groups * rows * cols == 4 * len(wanted)
        for mine, theirs in zip(result.deepstack, deepstack, strict=True):
            close(mine, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_how_a_pack_is_split_and_ordered_does_not_matter(name):
    twin = vlm_twin(name)
    encoder = Encoder.from_pretrained(twin.folder)
    images = list(pixels(twin, seed=3))
    whole = encoder.encode_pixels(images)
    for max_tokens in (1, 60, 200):
        for one, other in zip(whole, encoder.encode_pixels(images, max_tokens=max_tokens), strict=True):
            close(one.image_tokens, other.image_tokens)
    for one, other in zip(whole, encoder.encode_pixels(images[::-1])[::-1], strict=True):
        close(one.image_tokens, other.image_tokens)


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_attention_stays_within_a_frame_group(name, attention):
    """Other pixels in one group of frames change its tokens and no others; order of groups is order of tokens."""
    twin = vlm_twin(name)
    encoder = Encoder.from_pretrained(twin.folder, attention=attention)
    film = next(pixels(twin))  # 3 groups of 2 frames, 4 x 6 patches: 6 tokens a group
    changed = film.clone()
    changed[3] += 1
    [before], [after] = encoder.encode_pixels([film]), encoder.encode_pixels([changed])
    same = [(a - b).abs().max() < 1e-6 for a, b in zip(
        before.image_tokens.split(6), after.image_tokens.split(6), strict=True)]  # fmt: skip
    assert same == [True, False, True]
    [turned] = encoder.encode_pixels([torch.cat([film[4:], film[2:4], film[:2]])])
    close(torch.cat(before.image_tokens.split(6)[::-1]), turned.image_tokens)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_its_frame_twice(name):
    twin = vlm_twin(name)
    encoder = Encoder.from_pretrained(twin.folder)
    picture = list(pixels(twin))[1]
    still, film = encoder.encode_pixels([picture, torch.stack([picture, picture])])
    close(still.image_tokens, film.image_tokens)


def test_frames_that_fill_no_group_are_refused():
    twin = vlm_twin("qwen3-vl")
    encoder = Encoder.from_pretrained(twin.folder)
    with pytest.raises(InputError, match="image 1 has 3 frames: it must be a multiple of 2"):
        encoder.encode_pixels([torch.zeros(3, 32, 32), torch.zeros(3, 3, 32, 32)])
