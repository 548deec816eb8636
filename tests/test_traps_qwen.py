"""Traps of the Qwen families: the reference's numbers, taken from runs of transformers 5.23.0."""

import json

import pytest

import vistoken as vt
from vistoken import registry
from vistoken.errors import ConfigError, InputError, UsageError
from vistoken.sampling.qwen import FirstToLast, WholeGroups
from vistoken.video import Source


def tokens(model, width, height, **arguments):
    return vt.count(model, width=width, height=height, **arguments).image_tokens


def test_halves_round_to_even():
    """70 / 28 = 2.5 -> 2, 98 / 28 = 3.5 -> 4, 80 / 32 = 2.5 -> 2 (Qwen2VLImageProcessorPil)."""
    assert tokens("qwen2.5-vl-7b", 98, 70) == 2 * 4
    assert tokens("qwen3-omni-30b-a3b", 112, 80) == 2 * 4


def test_a_side_under_half_a_token_falls_into_the_minimum():
    """Qwen2VLImageProcessorPil on 1200x6: 29; qwen-vl-utils would give 43."""
    assert tokens("qwen2-vl-7b", 1200, 6) == 29
    assert tokens("qwen3-vl-8b", 1200, 6) == 114


def test_one_to_two_hundred_is_the_thinnest():
    """smart_resize refuses above 200, not at 200."""
    assert tokens("qwen2.5-vl-7b", 1000, 5) == 29
    with pytest.raises(InputError, match="200 times"):
        tokens("qwen2.5-vl-7b", 1001, 5)


def test_class_defaults_are_not_checkpoints():
    """Qwen2-VL's class stops at 1,003,520 pixels, the checkpoint at 12,845,056; Qwen3-Omni keeps Qwen2-VL's minimum."""
    assert tokens("qwen2-vl-7b", 4000, 3000) == 15_301
    assert tokens("qwen3-vl-8b", 1, 1) == 64
    assert tokens("qwen3-omni-30b-a3b", 1, 1) == 4


def test_omni_videos_follow_the_processor_not_the_file():
    """Qwen2_5OmniProcessor hands over 100,352 to 602,112 pixels a frame, whatever the video file says."""
    assert tokens("qwen2.5-vl-7b", 1280, 720, frames=8) == 4784
    assert tokens("qwen2.5-omni-7b", 1280, 720, frames=8) == 2880
    assert tokens("qwen3-omni-30b-a3b", 1280, 720, frames=8) == 2880
    assert tokens("qwen2.5-omni-7b", 1280, 720, frames=8, max_pixels=12_845_056) == 4784


def test_a_video_of_qwen3_shares_one_budget_and_tells_the_time():
    """Qwen3VLProcessor on 300 frames of 1920x1080 at 30 a second: 20 are taken, two make one group."""
    video = vt.count("qwen3-vl-8b", width=1920, height=1080, duration=10, fps=30)
    assert (video.image_tokens, video.marker_tokens, video.frames) == (11_960, 20, 20)
    assert video.text[:2] == ("<0.3 seconds>", "<1.3 seconds>")


def test_the_last_frame_fills_the_group():
    """Nine frames make five groups; the last time stamp is that of the ninth frame (Qwen3VLProcessor)."""
    video = vt.count("qwen3-vl-8b", width=1280, height=720, frames=9, fps=2)
    assert video.text == ("<0.2 seconds>", "<1.2 seconds>", "<2.2 seconds>", "<3.2 seconds>", "<4.0 seconds>")
    assert video.image_tokens == 5 * 880


def test_one_frame_is_no_video_for_qwen3():
    """Qwen3VLVideoProcessor: "t:1 must be larger than temporal_factor:2"; Qwen2-VL repeats the frame."""
    with pytest.raises(InputError, match="too few"):
        vt.count("qwen3-vl-8b", width=640, height=480, frames=1)
    assert tokens("qwen2-vl-7b", 640, 480, frames=1) == tokens("qwen2-vl-7b", 640, 480, frames=2)


def test_capped_frames():
    """cap_pixels_per_frame: Qwen3VLVideoProcessor gives 768 tokens a frame at most, here 640 x 1152 pixels."""
    assert tokens("qwen3-vl-8b", 1280, 720, frames=8, fps=2) == 3520
    assert tokens("qwen3-vl-8b", 1280, 720, frames=8, fps=2, cap_pixels_per_frame=True) == 2880


def test_frames_are_chosen_as_torch_and_numpy_choose_them():
    """torch.arange(0, 60242, 60242 / 768) and numpy.linspace(0, 9, 4).round(): single precision, ties to even."""
    torch_like = WholeGroups(2.0, 768, 4, 768, 2).choose(Source(60_242, 25.0))
    assert torch_like[743] == 58_281  # 743 x step is 58280.998 in double precision
    assert FirstToLast(None, 4, 4, 768).choose(Source(10, 25.0)) == (0, 3, 6, 9)
    assert FirstToLast(None, 3, 4, 768).choose(Source(6, 25.0)) == (0, 2, 5)  # 2.5 -> 2


def test_a_budget_is_set_under_either_name():
    """size and min_pixels / max_pixels are one budget; the caller's words win over the file's."""
    edges = {"shortest_edge": 200_704, "longest_edge": 250_000}
    for model in ("qwen2.5-vl-7b", "qwen3-vl-8b", "exaone-4.5-33b", "qwen2.5-omni-7b", "cosmos3-edge"):
        by_size = tokens(model, 1280, 720, size=edges)
        assert by_size == tokens(model, 1280, 720, min_pixels=200_704, max_pixels=250_000) < 330
    with pytest.raises(UsageError, match="longest_edge"):
        tokens("qwen2.5-vl-7b", 1280, 720, size={"shortest_edge": 200_704})
    with pytest.raises(UsageError, match="above the most"):
        tokens("qwen3-vl-8b", 1280, 720, max_pixels=1000)


def test_a_setting_without_effect_is_refused():
    with pytest.raises(UsageError, match="no effect"):
        tokens("qwen3-vl-8b", 1280, 720, frames=8, max_video_tokens=100)
    with pytest.raises(UsageError, match="exclude each other"):
        tokens("qwen3-vl-8b", 1280, 720, frames=8, num_frames=4, sampling_fps=1)


def test_files_that_disagree_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen3_vl", "vision_config": {"patch_size": 16}}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"patch_size": 14}))
    with pytest.raises(ConfigError, match="the two must agree"):
        vt.count(tmp_path, width=640, height=480)


def test_a_picture_that_is_not_resized_must_be_whole_tokens(tmp_path):
    """do_resize off: Qwen2VLImageProcessorPil reshapes into blocks and fails on anything else."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_vl"}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_resize": False}))
    assert tokens(tmp_path, 280, 56) == 10 * 2
    with pytest.raises(InputError, match="not resized"):
        tokens(tmp_path, 281, 56)


@pytest.mark.parametrize(
    "name", ["qwen2-vl", "qwen2.5-vl", "qwen3-vl", "qwen3.5", "qwen3.6", "qwen2.5-omni", "qwen3-omni", "qwen3.5-omni"]
)
def test_every_series_is_served(name):
    assert registry.describe(name).video is not None


def test_an_unpublished_model_says_so():
    spec = registry.describe("qwen3.5-omni")
    assert (spec.trust.level, spec.trust.rule.level) == ("assumed", "inferred")
    assert "API" in spec.notes[0]
