"""The front end: two ways to project, positions, prefix tokens, reconstruction."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from conftest import PHOTOGRAPHS  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from plain import pixels_of  # noqa: E402

from vistoken.encoding import Encoder, PatchEmbed, VisionFrontEnd, sinusoidal_2d, synthesize_image  # noqa: E402
from vistoken.encoding.frontend import dct_basis, seed_parameters  # noqa: E402
from vistoken.errors import InputError, UsageError  # noqa: E402
from vistoken.geometry import Patch, Size  # noqa: E402

PATCHES = [Patch.square(16), Patch(height=32, width=16), Patch(height=8, width=28), Patch.square(14)]
POSITIONS = ["sinusoidal", "learned", "factorised", "rotary", "none"]


def picture(height, width, batch=1, seed=0):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("patch", PATCHES, ids=str)
def test_convolution_and_unfold_with_linear_agree(patch, bias):
    conv, linear = (PatchEmbed(patch, 96, bias=bias, method=method) for method in ("conv", "linear"))
    seed_parameters(conv, 3)
    linear.load_state_dict(conv.state_dict())
    for height, width in [(224, 224), (96, 160), (patch.height, patch.width), (100, 75)]:
        pixels = picture(height, width, batch=2)
        one, other = conv(pixels), linear(pixels)
        assert one.shape == (2, (height // patch.height) * (width // patch.width), 96)
        assert (one - other).abs().max() <= 1e-5


def test_default_shape_and_parameters():
    front_end = VisionFrontEnd()
    assert front_end(picture(224, 224)).shape == (1, 197, 768)
    parameters = {name: p.numel() for name, p in front_end.named_parameters()}
    assert parameters == {"embed.patch.weight": 589_824, "embed.patch.bias": 768, "embed.prefix.cls": 768}


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([4, 8, 96, 768]))
def test_position_table(rows, cols, dim):
    table = sinusoidal_2d(rows, cols, dim)
    assert table.shape == (rows * cols, dim)
    assert torch.equal(table, sinusoidal_2d(rows, cols, dim))
    torch.testing.assert_close(table.norm(dim=1), torch.full((rows * cols,), math.sqrt(dim / 2)), rtol=1e-5, atol=0)
    grid = table.unflatten(0, (rows, cols))
    # The first half knows the row alone, the second the column alone.
    assert torch.equal(grid[:, :1, : dim // 2].expand(-1, cols, -1), grid[..., : dim // 2])
    assert torch.equal(grid[:1, :, dim // 2 :].expand(rows, -1, -1), grid[..., dim // 2 :])


def test_positions_tell_cells_apart():
    table = sinusoidal_2d(40, 30, 64)
    distances = torch.cdist(table, table) + torch.eye(len(table)) * 9
    assert distances.min() > 1e-2


@pytest.mark.parametrize(
    "arguments", [(2, 2, 6), (2, 2, 0), (0, 2, 8), (2, -1, 8), (2.0, 2, 8), ("2", 2, 8), (2, 2, 8, 0), (2, 2, 8, -5)]
)
def test_impossible_tables_are_refused(arguments):
    with pytest.raises(UsageError):
        sinusoidal_2d(*arguments)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("registers", [0, 4])
def test_every_scheme_and_prefix(position, registers):
    front_end = VisionFrontEnd(
        Patch(32, 16), dim=48, position=position, registers=registers, image_size=Size(224, 224), heads=4
    )
    tokens = front_end(picture(96, 64, batch=2))
    assert tokens.shape == (2, 1 + registers + 3 * 4, 48)
    angles = front_end.angles(96, 64)
    assert (angles is not None) == (position == "rotary")
    if angles is not None:
        assert angles.shape == (1 + registers + 12, 48 // 4 // 2)
        assert not angles[: 1 + registers].any()


def test_the_class_token_does_not_leak_across_the_batch():
    front_end = VisionFrontEnd(dim=64)
    one, two = picture(64, 64, seed=1), picture(64, 64, seed=2)
    together = front_end(torch.cat([one, two]))
    assert torch.equal(together[0, 0], together[1, 0])
    changed = together.clone()
    changed[0, 0] += 5  # tokens are not views of one parameter
    assert torch.equal(front_end(torch.cat([one, two]))[1, 0], together[1, 0])
    torch.testing.assert_close(together[:1], front_end(one))
    torch.testing.assert_close(together[1:], front_end(two))


def test_gradients_reach_every_parameter():
    front_end = VisionFrontEnd(dim=16, position="learned", registers=2, image_size=64)
    front_end(picture(64, 64, batch=2)).pow(2).sum().backward()
    for name, parameter in front_end.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_seed_decides_every_parameter():
    same, other = VisionFrontEnd(dim=64, seed=1), VisionFrontEnd(dim=64, seed=2)
    again = VisionFrontEnd(dim=64, seed=1)
    for name, parameter in same.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        assert name.endswith("bias") or not torch.equal(parameter, other.get_parameter(name))


# ---------------------------------------------------------------- DCT


@pytest.mark.parametrize("patch", PATCHES, ids=str)
def test_the_basis_is_orthonormal(patch):
    basis = dct_basis(patch, patch.values()).flatten(1)
    torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("position", ["sinusoidal", "learned", "none"])
@pytest.mark.parametrize("patch", PATCHES[:3], ids=str)
def test_full_dct_gives_the_picture_back(patch, position):
    front_end = VisionFrontEnd(patch, dim=patch.values(), projection="dct", position=position, registers=2)
    pixels = torch.rand(2, 3, 96, 112) * 2 - 1
    back = front_end.reconstruct(front_end(pixels), 96, 112)
    rows, cols = 96 // patch.height * patch.height, 112 // patch.width * patch.width
    assert (back - pixels[..., :rows, :cols]).abs().max() <= 1e-4


def test_fewer_dimensions_keep_what_is_smooth():
    pixels = torch.from_numpy(synthesize_image(1)).permute(2, 0, 1)[None] / 127.5 - 1
    errors = []
    for dim in (12, 48, 192, 768):
        front_end = VisionFrontEnd(dim=dim, projection="dct")
        errors.append((front_end.reconstruct(front_end(pixels), 224, 224) - pixels).pow(2).mean().item())
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.05
    assert errors[-1] < 1e-9


def test_what_cannot_be_reconstructed_is_refused():
    with pytest.raises(UsageError, match="dct"):
        VisionFrontEnd().reconstruct(torch.zeros(1, 197, 768), 224, 224)
    with pytest.raises(UsageError, match="768 directions"):
        VisionFrontEnd(dim=772, projection="dct")


# ---------------------------------------------------------------- around it


def test_synthetic_pictures():
    image = synthesize_image(5)
    assert image.shape == (224, 224, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image, synthesize_image(5))
    assert not np.array_equal(image, synthesize_image(6))
    assert image.std() > 10


def test_the_model_named_front_end_is_this_module():
    encoder, front_end = Encoder.from_pretrained("vistoken/front-end"), VisionFrontEnd(seed=0)
    for path in PHOTOGRAPHS:
        [result] = encoder.encode([path])
        pixels = pixels_of(encoder.prepare(path), encoder.spec)
        tokens = front_end(pixels[None])[0]
        torch.testing.assert_close(result.patches, tokens[1:], rtol=0, atol=1e-5)
        assert torch.equal(result.prefix["cls"], tokens[:1])


def test_the_module_runs_and_prints():
    command = [sys.executable, "-W", "error", "-m", "vistoken.encoding.frontend"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0].split(maxsplit=2)[2] == "(1, 197, 768)"
    assert "class token" in lines[1]
    assert "19.5959" in lines[3]


@pytest.mark.parametrize(
    "options",
    [{"patch": 0}, {"patch": 300, "position": "learned"}, {"dim": 6}, {"dim": 0}, {"position": "spiral"}, {"projection": "fft"}, {"method": "fft"},
     {"position": "rotary", "heads": 5}, {"position": "rotary", "dim": 24, "heads": 12}, {"registers": -1},
     {"patch": (16, 16)}, {"patch": 16.0}, {"image_size": (224, 224)}, {"position": []}],
)  # fmt: skip
def test_impossible_front_ends_are_refused(options):
    with pytest.raises(UsageError):
        VisionFrontEnd(**options)


def test_a_grid_beyond_factorised_tables_is_refused():
    with pytest.raises(InputError, match="does not fit"):
        VisionFrontEnd(dim=8, position="factorised")(picture(240, 224))


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (picture(8, 64), "hold no 16x16 patch"),
        (picture(64, 64)[0], "must be (images, 3, height, width)"),
        (picture(64, 64)[:0], "must be (images, 3, height, width)"),
        (picture(64, 64)[:, :1], "must be (images, 3, height, width)"),
        (picture(64, 64).byte(), "torch.uint8: they must be a float tensor"),
        (np.zeros((1, 3, 64, 64)), "ndarray: they must be a float tensor"),
    ],
)
def test_wrong_pixels_are_refused(pixels, message):
    for module in (
        VisionFrontEnd(dim=8),
        VisionFrontEnd(dim=8, position="none", class_token=False),
        PatchEmbed(16, 8, method="linear"),
    ):
        with pytest.raises(UsageError, match=re.escape(message)):
            module(pixels)


def test_reconstruct_wants_the_tokens_of_that_size():
    front_end = VisionFrontEnd(projection="dct")
    with pytest.raises(UsageError, match=r"tokens have shape \(1, 17, 768\): 224x224 gives \(images, 197, 768\)"):
        front_end.reconstruct(front_end(picture(64, 64)), 224, 224)


def test_a_patch_embedding_of_its_own_is_seeded():
    assert torch.equal(PatchEmbed(16, 8).weight, PatchEmbed(16, 8).weight)
    assert PatchEmbed(16, 8)(picture(32, 32)).isfinite().all()


def test_rotary_scores_equal_the_library():
    """Queries and keys turned by our angles give the scores of transformers' axial rotary positions."""
    pytest.importorskip("transformers")
    from transformers.models.qwen2_vl.modeling_qwen2_vl import apply_rotary_pos_emb_vision

    from vistoken.encoding.attention import turn
    from vistoken.encoding.positions import rotary_angles
    from vistoken.geometry import Grid
    from vistoken.spec import Rotary

    grid, heads, width = Grid(rows=5, cols=3), 2, 16
    q, k = (torch.randn(15, heads, width, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    # The library's frequencies: base ** -(2 i / (d / 2)); rows, then columns; repeated for both halves.
    frequencies = 1.0 / 10_000 ** (torch.arange(0, width // 2, 2).float() / (width // 2))
    rows, cols = torch.meshgrid(torch.arange(5.0), torch.arange(3.0), indexing="ij")
    angles = torch.cat([rows.flatten()[:, None] * frequencies, cols.flatten()[:, None] * frequencies], 1)
    repeated = torch.cat([angles, angles], 1)
    wanted_q, wanted_k = apply_rotary_pos_emb_vision(q, k, repeated.cos(), repeated.sin())
    angles = rotary_angles(Rotary(), grid, width)[:, None]
    mine = angles.cos(), angles.sin()
    torch.testing.assert_close(turn(q, mine), wanted_q)
    torch.testing.assert_close(turn(k, mine), wanted_k)
