"""Traps of the GLM, ERNIE, PaddleOCR, Hunyuan and VideoLLaMA3 families.

Every number is what the classes of transformers 5.23.0 named beside it return for that size.
"""

import pytest

import vistoken as vt
from vistoken.errors import InputError, UsageError
from vistoken.video import Source


def tokens(model, width, height, **arguments):
    return vt.count(model, width=width, height=height, **arguments).tokens


def test_a_still_picture_of_glm_counts_twice():
    # Glm4vImageProcessorPil: longest_edge 9,633,792 is compared with 2 x height x width.
    assert tokens("glm-4.1v", 4000, 3000) == 6030
    assert vt.count("glm-4.1v", width=4000, height=3000).views[0].size.pixels <= 9_633_792 // 2


def test_the_published_limit_of_glm_is_not_the_default_of_its_class():
    # Glm4vImageProcessorPil() allows 28 * 28 * 15000, the published files 9,633,792; GLM-GA has the default.
    assert tokens("glmga", 4000, 3000) == 7500
    assert tokens("glm-ocr", 4000, 3000) == 6030


def test_the_two_paddleocr_models_have_other_limits():
    # PaddleOCRVLImageProcessorPil with the two published files.
    assert tokens("paddleocr-vl", 3000, 4000) == 3519
    assert tokens("paddleocr-vl-1.5", 3000, 4000) == 1230


def test_ties_go_to_even():
    # MiniMaxM3VLImageProcessor: 70 / 28 = 2.5 and 98 / 28 = 3.5; 8 tokens and 2 markers.
    assert tokens("minimax-m3", 98, 70) == 10
    # CohereCompassImageProcessorPil: 80 / 32 = 2.5 and 112 / 32 = 3.5.
    assert tokens("north-micro-vision", 80, 112) == 8


def test_a_side_that_rounds_to_zero_falls_into_the_minimum_or_is_guarded():
    # Ernie4_5_VLMoeImageProcessorPil without a guard, PaddleOCRVLImageProcessorPil with one.
    assert tokens("ernie-4.5-vl", 1200, 6) == 29
    assert tokens("paddleocr-vl", 1200, 6) == 200
    assert tokens("paddleocr-vl", 5, 300) == 214


@pytest.mark.parametrize("model", ["glm-4.1v", "glm-4.6v", "glmga", "ernie-4.5-vl", "paddleocr-vl", "hunyuan-ocr",
                                   "videollama3", "minimax-m3", "north-micro-vision", "glm-5.3-flash"])  # fmt: skip
def test_the_pixel_limits_can_be_set_for_every_pixel_budget(model):
    assert tokens(model, 1280, 720, max_pixels=301_056) < tokens(model, 1280, 720)
    assert tokens(model, 100, 100, min_pixels=200_704, max_pixels=400_000) > 60


def test_the_newlines_and_ends_of_hunyuan_are_image_tokens():
    # HunYuanVLProcessor: 22 x (40 + 1) + 2, all written as the image token.
    result = vt.count("hunyuan-ocr", width=1280, height=720)
    assert (result.image_tokens, result.marker_tokens) == (904, 0)


def test_glm5_falls_to_one_token_where_no_height_fits():
    # Glm5NextImageProcessorPil: the bisection over the height starts from one token.
    assert tokens("glm-5.3-flash", 100_000_000, 1) == 1


def test_the_times_of_glm_are_whole_seconds_in_one_generation_and_tenths_in_the_next():
    # Glm4vProcessor and Glm46VProcessor, 4 frames at 0.7 a second: the times of frames 0 and 2.
    film = {"width": 280, "height": 280, "frames": 4, "fps": 0.7}
    assert vt.count("glm-4.5v", **film).text == ("0", "2")
    assert vt.count("glm-4.6v", **film).text == ("0.0 seconds", "2.9 seconds")


def test_the_processor_not_the_model_type_tells_the_generation_of_glm():
    # GLM-4.6V's published config.json says glm4v_moe, as GLM-4.5V's does.
    assert vt.count("glm-4.6v", width=280, height=280, duration=10, fps=30).frames == 60
    assert vt.count("glm-4.5v", width=280, height=280, duration=10, fps=30).frames == 20


@pytest.mark.parametrize(
    ("model", "source", "frames", "last"),
    [
        ("glm-4.1v", Source(9000, 30.0), 600, 8985),  # 300 seconds: 2 a second
        ("glm-4.1v", Source(9030, 30.0), 600, 9029),  # 301 seconds: 600 spread over all
        ("glm-4.1v", Source(25, 25.0), 2, 13),
        ("glm-4.1v", Source(75, 30.0), 6, 60),  # 5 frames, the last one twice
        ("glm-4.6v", Source(900, 30.0), 180, 896),  # 30 seconds: 3 x 2 a second
        ("glm-4.6v", Source(930, 30.0), 62, 915),  # 31 seconds: 1 x 2 a second
        ("glm-4.6v", Source(9030, 30.0), 302, 9000),  # 301 seconds: 0.5 x 2 a second
        ("glm-4.6v", Source(90_000, 30.0), 640, 89_999),
        ("ernie-4.5-vl", Source(10, 30.0), 10, 9),
        ("ernie-4.5-vl", Source(9000, 30.0), 180, 8950),
        ("videollama3", Source(301, 25.0), 12, 275),
    ],
)
def test_which_frames_are_chosen(model, source, frames, last):
    video = vt.registry.describe(model).known_video()
    indices = video.sampling.choose(source)
    assert (len(indices), indices[-1]) == (frames, last)


def test_too_short_a_video_is_refused():
    with pytest.raises(InputError, match="too few"):
        tokens("glm-4.1v", 640, 480, frames=1)
    with pytest.raises(InputError, match="no frame"):  # Glm46VVideoProcessor takes int(0.13 * 6) frames of it
        tokens("glm-4.6v", 640, 480, duration=0.13, fps=30)


def test_minimax_does_not_resize_videos_by_itself():
    with pytest.raises(InputError, match="multiples of 28"):
        tokens("minimax-m3", 1280, 720, frames=8)
    assert tokens("minimax-m3", 1280, 720, frames=8, do_resize=True) == 2888


def test_the_count_of_videollama3_says_that_it_is_an_upper_bound():
    assert "upper bound" in vt.count("videollama3", width=640, height=480, frames=8).explain()


def test_hunyuan_takes_no_video():
    with pytest.raises(UsageError, match="no video"):
        tokens("hunyuan-ocr", 640, 480, frames=8)
