"""Positions in three dimensions against `get_rope_index` of transformers, for pictures and videos, wherever they stand."""

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from vlm_twins import TEXT  # noqa: E402

from vistoken.connector import Connector, NumberedPositions, SeparatePositions, TimedPositions  # noqa: E402
from vistoken.encoding.output import ImageTokens, Scene  # noqa: E402
from vistoken.errors import UsageError  # noqa: E402
from vistoken.geometry import Grid, Size  # noqa: E402

PICTURES = [Grid(1, 1), Grid(2, 7), Grid(9, 3), Grid(16, 16), Grid(1, 40)]
VIDEOS = [Grid(3, 2, 4), Grid(2, 5, 7), Grid(6, 6, 1), Grid(4, 3, 33)]
# Seconds between two frame groups: whole, at many rates, and where single precision cuts below a whole number.
SECONDS = [1.0, 0.5, 2.0, 2 / 3, 0.1, 0.0667, 2 / 29.97, 0.07, 1.1, 7.3]
STARTS = [0, 1, 15, 1000]
ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 2, 2]}}
VISION = {"depth": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 8, "out_hidden_size": 40}


def qwen2_5(per_second):
    vision = {**VISION, "tokens_per_second": per_second, "fullatt_block_indexes": [0]}
    return hf.Qwen2_5_VLModel(hf.Qwen2_5_VLConfig(vision_config=vision, text_config=TEXT | ROPE))


def qwen3():
    vision = {**VISION, "deepstack_visual_indexes": [0]}
    return hf.Qwen3VLModel(hf.Qwen3VLConfig(vision_config=vision, text_config=TEXT | ROPE | {"head_dim": 10}))


def qwen2():
    vision = {"depth": 1, "embed_dim": 16, "hidden_size": 40, "num_heads": 2}
    return hf.Qwen2VLModel(hf.Qwen2VLConfig(vision_config=vision, text_config=TEXT | ROPE))


def result(positions, grid):
    """Image tokens of one picture or video whose tokens form `grid`."""
    scene = Scene(Size(height=9, width=9), (), None, Connector(stages=(), positions=positions), (grid,))
    tokens = torch.zeros(grid.patches, 1)
    return ImageTokens(None, {}, None, scene, "a picture", "sdpa", tokens)


def reference(model, kinds, grid, video=False, **arguments):
    """The reference's ids at the places of visual tokens; `kinds` are 0 for text, 1 for pictures and 2 for videos."""
    types = torch.tensor([kinds])
    thw = torch.tensor([[grid.frames, 2 * grid.rows, 2 * grid.cols]])
    grids = {"video_grid_thw" if video else "image_grid_thw": thw}
    ids, _ = model.get_rope_index(torch.zeros_like(types), types, **grids, **arguments)
    return ids[:, 0, types[0] > 0]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("grid", PICTURES, ids=str)
@pytest.mark.parametrize(
    ("model", "positions"),
    [(qwen2_5(4), TimedPositions(4)), (qwen3(), SeparatePositions()), (qwen2(), NumberedPositions())],
    ids=["qwen2.5-vl", "qwen3-vl", "qwen2-vl"],
)
def test_pictures(model, positions, grid, start):
    wanted = reference(model, [0] * start + [1] * grid.patches + [0] * 3, grid)
    assert torch.equal(result(positions, grid).position_ids(start), wanted)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("grid", VIDEOS, ids=str)
@pytest.mark.parametrize("per_second", [4, 2, 25])
def test_videos_of_qwen2_5_count_time_in_seconds(grid, start, per_second):
    model = qwen2_5(per_second)
    for seconds in SECONDS:
        kinds = [0] * start + [2] * grid.patches + [0] * 3
        # The processor hands the seconds over as a tensor in single precision.
        wanted = reference(model, kinds, grid, True, second_per_grid_ts=torch.tensor([seconds]))
        assert torch.equal(result(TimedPositions(per_second), grid).position_ids(start, seconds), wanted)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("grid", VIDEOS, ids=str)
def test_videos_of_qwen2_number_the_frame_groups(grid, start):
    wanted = reference(qwen2(), [0] * start + [2] * grid.patches + [0] * 3, grid, True)
    assert torch.equal(result(NumberedPositions(), grid).position_ids(start, 0.3), wanted)


@pytest.mark.parametrize("grid", VIDEOS, ids=str)
@pytest.mark.parametrize("text", [1, 6])
def test_videos_of_qwen3_are_frame_groups_with_text_between(grid, text):
    """Behind a frame group the text goes on at its start plus the longer side of its grid."""
    kinds, starts, position = [], [], 0
    for _ in range(grid.frames):
        kinds += [0] * text + [2] * (grid.rows * grid.cols)
        starts.append(position + text)
        position += text + max(grid.rows, grid.cols)
    wanted = reference(qwen3(), kinds, grid, True)
    assert torch.equal(result(SeparatePositions(), grid).position_ids(starts), wanted)


def test_time_is_reckoned_in_single_precision():
    """28 * 25 * 0.35 is 245, a little less in double precision; the reference computes, and cuts off, in single."""
    grid, seconds = Grid(1, 1, 30), 0.35
    assert int(28 * 25 * seconds) == 244
    times = result(TimedPositions(25), grid).position_ids(0, seconds)[0]
    wanted = reference(qwen2_5(25), [2] * 30, grid, True, second_per_grid_ts=torch.tensor([seconds]))[0]
    assert times[28] == wanted[28] == 245


def test_wrong_starts_are_refused():
    video = result(SeparatePositions(), Grid(2, 2, 3))
    with pytest.raises(UsageError, match=r"start is 0: .* give 3 whole numbers, one for each"):
        video.position_ids(0)
    with pytest.raises(UsageError, match="give one whole number"):
        result(TimedPositions(4), Grid(2, 2, 3)).position_ids([0, 9, 18], seconds=1)
    with pytest.raises(UsageError, match="numbers its positions in one dimension"):
        result(None, Grid(2, 2)).position_ids()


def test_seconds_follow_from_how_the_frames_were_chosen():
    """48 frames at 24 a second, every other one: 12 a second, so that two of them are 1/6 of a second apart."""
    from vlm_twins import vlm_twin

    from vistoken.encoding import Encoder

    encoder = Encoder.from_pretrained(vlm_twin("qwen2.5-vl").folder)
    frames = torch.zeros(48, 56, 84, 3, dtype=torch.uint8)
    film = encoder.encode_video(frames, fps=24.0, frames=range(0, 48, 2))
    grid = film.image_grids[0]
    kinds, model = [2] * grid.patches, vlm_twin("qwen2.5-vl").module.model
    wanted = reference(model, kinds, grid, True, second_per_grid_ts=torch.tensor([2 / 12.0]))
    assert torch.equal(film.position_ids(), wanted)
    assert torch.equal(film.position_ids(seconds=2 / 12), wanted)
    with pytest.raises(UsageError, match="give fps with the video, or seconds here"):
        encoder.encode_video(frames).position_ids()
    for seconds in (-1, float("nan"), float("inf"), "1"):
        with pytest.raises(UsageError, match="seconds is"):
            film.position_ids(seconds=seconds)
