"""Traps of Idefics, SmolVLM, Gemma 3, Gemma 3n and PaliGemma: the numbers are those of transformers 5.23.0."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vistoken as vt
from vistoken.errors import InputError, UsageError
from vistoken.prompts.words import clock, in_words
from vistoken.sequence import Marker


@pytest.mark.parametrize(
    ("width", "height", "crops"),
    [(1200, 1000, 2), (1199, 1000, 0), (1000, 400, 3), (400, 1400, 4), (900, 255, 0), (3000, 300, 4), (1536, 1024, 2)],
)
def test_gemma3_rounds_halves_of_the_ratio_up(width: int, height: int, crops: int) -> None:
    # Gemma3ImageProcessorPil.pan_and_scan: 1000 / 400 = 2.5 makes 3 crops, where Python's round would make 2.
    count = vt.count("gemma-3", width=width, height=height, do_pan_and_scan=True)
    assert len(count.views) - 1 == crops
    assert count.image_tokens == 256 * (1 + crops)


def test_gemma3_crops_cost_as_much_as_the_picture() -> None:
    # Gemma3Processor writes 3 x 256; its _get_num_multimodal_tokens still says 256.
    assert vt.count("gemma-3", width=1280, height=720).tokens == 258
    assert vt.count("gemma-3", width=1280, height=720, do_pan_and_scan=True).tokens == 774


def test_gemma3_ignores_pan_and_scan_in_the_file(tmp_path: Path) -> None:
    # Gemma3Processor passes do_pan_and_scan=False with every call, over what the image processor's file says.
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gemma3"}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_pan_and_scan": True}))
    assert vt.count(tmp_path, width=1280, height=720).tokens == 258
    assert vt.count(tmp_path, width=1280, height=720, do_pan_and_scan=True).tokens == 774


def test_a_pan_and_scan_setting_without_pan_and_scan_is_refused() -> None:
    with pytest.raises(UsageError, match="no effect"):
        vt.count("gemma-3", width=1280, height=720, pan_and_scan_max_num_crops=8)


def test_published_sizes_are_not_the_classes_defaults() -> None:
    # Gemma3ImageProcessor's class says 224.
    assert vt.count("gemma-3", width=1280, height=720).patches == 4096


def test_idefics2_cuts_a_quotient_of_floats() -> None:
    # int(980 / (1015 / 899)) = 867, 61 rows; 980 * 899 // 1015 = 868 would be 62.
    assert vt.count("idefics2-8b-base", width=1015, height=899).patches == 4270


def test_idefics2_quarters_of_an_odd_side_have_different_grids() -> None:
    count = vt.count("idefics2", width=783, height=783)
    assert [(view.grid.rows, view.grid.cols) for view in count.views] == [
        (27, 27),
        (27, 28),
        (28, 27),
        (28, 28),
        (55, 55),
    ]
    assert count.patches == 6050


@pytest.mark.parametrize("size", [(1, 1), (1, 100), (100, 1)])
def test_idefics2_refuses_a_side_that_cannot_be_halved(size: tuple[int, int]) -> None:
    # Idefics2ImageProcessor raises; the Pillow class makes an empty quarter of a narrow picture black.
    with pytest.raises(InputError, match="quarters"):
        vt.count("idefics2", width=size[0], height=size[1])


def test_idefics3_writes_a_newline_after_each_row_and_one_before_the_whole() -> None:
    assert vt.count("idefics3", width=1280, height=720).text == ("\n",) * 4
    assert vt.count("idefics3", width=1280, height=720, do_image_splitting=False).text == ()


def test_idefics3_keeps_the_proportion_while_it_goes_up_to_whole_tiles() -> None:
    # Idefics3Processor's run has 3 x 3 tiles; get_number_of_image_patches of the same class says 3 x 2.
    tiling = vt.count("idefics3", width=946, height=1416, size={"longest_edge": 1000}).tiling
    assert (tiling.rows, tiling.cols) == (3, 3)


def test_idefics3_tags_beyond_the_sixth_column_are_text() -> None:
    # 5000 is brought under 4096: 5 x 8 tiles; Idefics3Processor.row_col_ids ends at row and column 6.
    count = vt.count(
        "idefics3", width=1280, height=720, size={"longest_edge": 5000}, max_image_size={"longest_edge": 512}
    )
    assert (count.tiling.rows, count.tiling.cols) == (5, 8)
    assert count.sequence is not None
    tags = [
        piece.name for piece in count.sequence.flat() if isinstance(piece, Marker) and piece.name.startswith("<row")
    ]
    assert len(tags) == 30
    assert [text for text in count.text if text != "\n"][:3] == ["<row_1_col_7>", "<row_1_col_8>", "<row_2_col_7>"]


def test_smolvlm_tells_frames_in_words_and_times() -> None:
    # SmolVLMProcessor.replace_video_token, with num2words 0.5.14.
    count = vt.count("smolvlm-256m", width=1280, height=720, duration=70.0, fps=30.0)
    assert count.frames == 64
    assert count.text[0] == (
        "You are provided the following series of sixty-four frames from a 0:01:10 [H:MM:SS] video.\n\nFrame from 00:01:"
    )
    assert count.tokens == 64 * 67


def test_numbers_in_words() -> None:
    # num2words 0.5.14; agreed on 32,007 numbers up to 10 million.
    words = {0: "zero", 21: "twenty-one", 110: "one hundred and ten", 1005: "one thousand and five",
             1100: "one thousand, one hundred", 2_000_005: "two million and five"}  # fmt: skip
    assert {number: in_words(number) for number in words} == words
    assert clock(172_800) == "2 days, 0:00:00"


def test_idefics_pictures_come_by_cross_attention() -> None:
    count = vt.count("idefics-9b", width=1280, height=720)
    assert (count.image_tokens, count.marker_tokens, count.cross_tokens) == (0, 3, 64)
