"""What people ask of a count: the worked examples, videos, prompts with many pictures, models behind an API, bad input."""

import io
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import vistoken as vt
from vistoken.errors import InputError, UsageError
from vistoken.geometry import Patch, Size
from vistoken.views.vendor import EdgeAndTokens, PatchCap


def test_the_worked_example():
    """1280x720 is 26 x 46 tokens; a class token alone would be 1."""
    result = vt.count("qwen2.5-vl", width=1280, height=720)
    assert (result.tokens, result.prefix_tokens, result.views[0].grid.rows // 2) == (1196, 0, 26)
    assert str(result.sequence) == "1,196 image (26 x 46)"


def test_five_minutes_of_full_hd_by_a_plain_grid():
    grid = Patch.square(14).grid(Size(height=1080, width=1920))
    assert (grid.rows, grid.cols, grid.patches) == (77, 137, 10_549)
    assert grid.patches * 30 * 300 == 94_941_000


def test_one_small_square_in_three_numbers():
    size = Size(height=224, width=224)
    assert 3 * size.pixels == 150_528
    assert Patch.square(16).grid(size).patches == 196
    assert Patch.square(14).grid(size).patches == 256


# ---------------------------------------------------------------- videos


def test_frames_are_those_that_are_given():
    result = vt.count("qwen2.5-vl-7b", width=1280, height=720, frames=9)
    assert (result.frames, result.views[0].grid.frames, result.tokens) == (9, 5, 5 * 1196)


def test_a_duration_is_sampled_by_the_models_own_rule():
    """Qwen's recipe takes 2 frames a second, two of them become one; Gemini 2 takes one."""
    assert vt.count("qwen2.5-vl-7b", width=1280, height=720, duration=60, fps=30).frames == 120
    assert vt.count("gemini-2.5-pro", width=1280, height=720, duration=60, fps=30).tokens == 60 * 258
    assert vt.count("gemini-2.5-pro", width=1280, height=720, duration=60, fps=30, sampling_fps=2).tokens == 120 * 258


def test_time_stamps_are_text_and_not_counted():
    result = vt.count("qwen3-vl-8b", width=640, height=480, frames=4, fps=2)
    assert result.text == ("<0.2 seconds>", "<1.2 seconds>")
    assert result.marker_tokens == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 0}, "frames is 0: it must be a whole number from 1"),
        ({"frames": -4}, "frames is -4"),
        ({"frames": 2.5}, "frames is 2.5"),
        ({"frames": 10**12}, "frames is 1000000000000"),
        ({"frames": 8, "duration": 4.0}, "give frames, or duration and fps, not both"),
        ({"duration": 4.0}, "duration needs fps, of the video itself"),
        ({"fps": 30}, "fps needs duration"),
        ({"duration": -1, "fps": 30}, "duration is -1"),
        ({"duration": float("nan"), "fps": 30}, "duration is nan"),
        ({"duration": 5, "fps": 0}, "fps is 0"),
        ({"duration": 5, "fps": float("inf")}, "fps is inf"),
        ({"duration": 5, "fps": "30"}, "fps is '30'"),
        ({"frames": 8, "input": "224x224"}, "input is for pictures"),
    ],
)
def test_impossible_videos(arguments, message):
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        vt.count("qwen2.5-vl-7b", width=640, height=480, **arguments)


def test_a_model_without_videos_says_so():
    with pytest.raises(UsageError, match="takes no video here"):
        vt.count("llava-1.5-7b", width=640, height=480, frames=8)


# ---------------------------------------------------------------- several pictures in one prompt


def test_pictures_that_share_a_prompt_change_some_rules():
    assert vt.count("llava-onevision-7b", width=1280, height=720, images_in_prompt=2).tokens == 730
    assert vt.count("deepseek-vl2", width=1280, height=720, images_in_prompt=3).tokens == 421
    # Above 20 pictures the API refuses sides above 2000 pixels.
    assert vt.count("claude-opus-5", width=2576, height=1000, images_in_prompt=20).tokens == 92 * 36
    with pytest.raises(InputError, match="refuses sides above 2,000 pixels"):
        vt.count("claude-opus-5", width=2576, height=1000, images_in_prompt=21)


@pytest.mark.parametrize("number", [-1, 2.5, "3", None, 10**9])
def test_impossible_numbers_of_pictures(number):
    with pytest.raises(UsageError, match="images_in_prompt is"):
        vt.count("llava-onevision-7b", width=64, height=64, images_in_prompt=number)


# ---------------------------------------------------------------- models behind an API


def test_detail_and_media_resolution_have_the_vendors_names():
    assert vt.count("gpt-4o", width=4000, height=3000, detail="low").tokens == 85
    assert vt.count("gpt-5", width=4000, height=3000, detail="low").tokens == 70
    low = vt.count("gemini-3-pro", width=1024, height=1024, media_resolution="low").tokens
    assert (
        low == vt.count("gemini-3-pro", width=1024, height=1024, media_resolution="MEDIA_RESOLUTION_LOW").tokens <= 281
    )
    with pytest.raises(UsageError, match="known are auto, high, low"):
        vt.count("gpt-4o", width=400, height=300, detail="hihg")
    with pytest.raises(UsageError, match="has no setting 'detail': it has media_resolution"):
        vt.count("gemini-3-pro", width=400, height=300, detail="low")


def test_what_a_tower_behind_an_api_computes_is_unknown():
    result = vt.count("gpt-4o", width=1024, height=1024)
    assert result.patches is None
    assert result.as_dict()["patches"] is None
    assert result.trust.rule.level == "documented"


def test_where_document_and_bill_disagree_the_bill_is_counted_and_a_note_says_so():
    result = vt.count("gpt-5-mini", width=1024, height=1024)
    assert result.tokens == 1229
    assert "the document multiplies by 1.62" in result.explain()
    assert result.trust.settings.level == "measured by third parties"


@settings(max_examples=600, derandomize=True)
@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([256, 1536, 2500, 10_000]))
def test_capped_patches_never_exceed_their_budget(width, height, budget):
    rule = PatchCap(None, budget, Patch.square(32))
    assert rule.tiling(Size(height=height, width=width)).patches <= budget


@settings(max_examples=600, derandomize=True)
@given(st.integers(1, 8000), st.integers(1, 8000), st.sampled_from([(1568, 1568), (2576, 4784)]))
def test_the_largest_size_within_two_limits(width, height, limits):
    """It fits, and one pixel more on the long side would not: by trying, not by the rule's own search."""
    edge, most = limits
    size = Size(height=height, width=width)
    fitted = EdgeAndTokens(edge, most, Patch.square(28)).fit(size)

    def fits(height, width):
        rows, cols = -(-height // 28), -(-width // 28)
        return rows * cols <= most and max(rows, cols) * 28 <= edge

    assert fits(fitted.height, fitted.width)
    if fitted != size:
        longer = max(fitted.height, fitted.width) + 1
        other = max(1, round(longer / (max(size.height, size.width) / min(size.height, size.width))))
        assert not fits(longer, other)


# ---------------------------------------------------------------- traps that belong to no family


def test_naflex_stops_at_scale_100():
    """A 1x1 picture gets 7 x 7 patches, not 16 x 16: transformers, `get_image_size_for_max_num_patches`."""
    assert vt.count("siglip2-naflex", width=1, height=1).patches == 49


@pytest.mark.parametrize("name", ["qwen2.5-vl-7b", "internvl3-8b", "llava-next", "molmo2-8b", "gpt-4o", "clip-l14-336"])
def test_orientation_swaps_width_and_height_and_nothing_else(name):
    picture, file = Image.new("RGB", (640, 427)), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture.save(file, "JPEG", exif=exif)
    turned, plain = vt.count(name, image=file), vt.count(name, width=427, height=640)
    assert turned.as_dict() == plain.as_dict()


SOFT = ("qwen2.5-vl-7b", "qwen3-vl-8b", "gemma-3-4b", "llava-next", "llava-1.5-7b", "paligemma-448", "ernie-4.5-vl")
WITH_MARKERS = ("internvl3-8b", "aya-vision-8b")


@pytest.mark.parametrize("name", SOFT + WITH_MARKERS)
def test_the_librarys_own_count_holds_markers_for_some_models_only(name):
    """`_get_num_multimodal_tokens` counts image tokens alone for most processors, markers too for others."""
    pytest.importorskip("transformers")
    from vistoken import registry
    from vistoken.judge.reference import Judge

    judge = Judge(*registry.published(name), {})
    for width, height in ((1280, 720), (333, 1111), (640, 480)):
        [theirs] = judge.processor._get_num_multimodal_tokens(image_sizes=[(height, width)]).num_image_tokens
        result = vt.count(name, width=width, height=height)
        assert theirs == (result.tokens if name in WITH_MARKERS else result.image_tokens)


# ---------------------------------------------------------------- the command


def command(*arguments):
    run = subprocess.run([sys.executable, "-m", "vistoken", *arguments], capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["count", "0x5", "-m", "gpt-4o"], 2),
        (["count", "1280*720", "-m", "gpt-4o"], 2),
        (["count", "-1x5", "-m", "gpt-4o"], 2),
        (["count", "1000000000x5", "-m", "gpt-4o"], 2),
        (["count", "10x10", "-m", "gpt-4o", "--frames", "3"], 2),
        (["count", "10x10", "-m", "qwen3-vl", "--frames", "1"], 3),
        (["count", "10x10", "-m", "qwen3-vl", "--duration", "nan", "--fps", "3"], 2),
        (["count", "10x10", "-m", "gpt-4o", "--set", "detail=ultra"], 2),
        (["count", "10x10", "-m", "gpt-4p"], 5),
        (["count", "10x10", "-m", "gpt-4o", "--images-in-prompt", "-2"], 2),
    ],
)
def test_exit_codes(arguments, code):
    returned, _, err = command(*arguments)
    assert returned == code, err
    assert "Traceback" not in err
    assert len(err) > 30


def test_many_models_of_all_kinds_side_by_side():
    code, out, _ = command(
        "count", "1280x720", "-m", "qwen2.5-vl", "-m", "internvl3", "-m", "gpt-4o", "-m", "gemini-3-pro"
    )
    assert code == 0
    assert out.split()[-4:] == ["1,196", "2,306", "1,105", "1,101"]


def test_json_of_a_video_holds_its_frames_and_text():
    code, out, _ = command("count", "640x480", "-m", "qwen3-vl-8b", "--duration", "2", "--fps", "24", "--json")
    line = json.loads(out)
    assert (code, line["frames"], len(line["text"])) == (0, 4, 2)
