"""Traps of the families that cut tiles by aspect ratio or covered area, with the reference's numbers.

Numbers are those of the processors of transformers 5.23.0, run on the size, unless a comment says otherwise.
"""

from fractions import Fraction
from itertools import pairwise

import pytest

from vistoken.configs import Config
from vistoken.counting import count
from vistoken.errors import ConfigError, InputError, SettingError, UsageError
from vistoken.geometry import Patch, Size
from vistoken.processors.got_ocr2 import image_rule
from vistoken.views.covering import CoveringArea
from vistoken.views.tiles import ClosestAspect, arrangements


def test_ovis2_turns_the_grid_that_it_chose():
    # get_min_tile_covering_grid gives (3, 4) as (rows, columns); crop_image_to_patches reads it as (columns, rows).
    tiling = count("ovis2-1b", width=1920, height=1080).tiling
    assert (tiling.rows, tiling.cols) == (4, 3)
    tiling = count("ovis2-1b", width=1000, height=300).tiling
    assert (tiling.rows, tiling.cols) == (3, 1)


def test_ovis2_needs_more_than_nine_tenths_of_the_area():
    # (448 / 472) squared is 0.901, (448 / 473) squared is 0.897.
    assert count("ovis2-1b", width=472, height=448).tokens == 259
    assert count("ovis2-1b", width=473, height=448).tokens == 772


def test_ovis2_has_the_overview_first():
    views = count("ovis2-1b", width=640, height=480).views
    assert [len(view.steps) for view in views] == [1, 2, 2, 2, 2]


def test_height_and_width_are_not_mixed_up():
    wide, tall = count("internvl3", width=1000, height=300), count("internvl3", width=300, height=1000)
    assert (wide.tiling.rows, wide.tiling.cols) == (1, 3)
    assert (tall.tiling.rows, tall.tiling.cols) == (3, 1)
    assert wide.views[0].steps[0].size == Size(height=448, width=1344)


def test_internvl_spends_more_on_640x480_than_on_full_hd():
    assert count("internvl3", width=640, height=480).image_tokens == 3328
    assert count("internvl3", width=1920, height=1080).image_tokens == 2304


def test_grids_stand_in_order_of_their_tiles_then_of_columns():
    # The docstring of get_all_supported_aspect_ratios gives this list for 1 to 4 tiles.
    wanted = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (2, 2), (4, 1)]
    assert [(cols, rows) for cols, rows, _ in arrangements(1, 4)] == wanted


def test_on_equal_distance_more_tiles_win_only_for_pictures_with_enough_pixels():
    # get_optimal_tiled_canvas((448, 448), (448, 448), 1, 12) is (1, 1); of (768, 768) it is (2, 2).
    rule = ClosestAspect(Size(height=448, width=448), 1, 12, True, "bicubic", Patch.square(14))
    assert rule.choose(Size(height=448, width=448)) == (1, 1)
    assert rule.choose(Size(height=768, width=768)) == (2, 2)


def test_the_vendors_own_order_of_grids_changes_nothing():
    """The vendor sorts a Python set, the copies for transformers sort nested loops: only exact ties could differ."""
    tile, most = 448, 12
    pairs = {(i, j) for n in range(1, most + 1) for i in range(1, n + 1) for j in range(1, n + 1) if i * j <= most}
    vendor = sorted(pairs, key=lambda pair: pair[0] * pair[1])
    rule = ClosestAspect(Size(height=tile, width=tile), 1, most, True, "bicubic", Patch.square(14))
    ratios = sorted({Fraction(*pair) for pair in pairs})
    for low, high in pairwise(ratios):
        middle = (low + high) / 2
        for scale in (1, 7, 50, 113, 400, 1000):
            width, height = middle.numerator * scale, middle.denominator * scale
            best, distance = (1, 1), float("inf")
            for cols, rows in vendor:
                away = abs(width / height - cols / rows)
                if away < distance or (away == distance and width * height > 0.5 * tile * tile * cols * rows):
                    best, distance = (rows, cols), away
            assert rule.choose(Size(height=height, width=width)) == best


def test_deepseek_ocr2_has_no_tiles_up_to_768():
    # The run; get_number_of_image_patches of the class says 1 + 4 views for both.
    assert count("deepseek-ocr-2", width=768, height=768).tokens == 257
    assert count("deepseek-ocr-2", width=769, height=768).tokens == 833


def test_deepseek_ocr2_without_tiles_is_refused():
    with pytest.raises(SettingError, match="leave it on"):
        count("deepseek-ocr-2", width=640, height=480, crop_to_patches=False)


def test_deepseek_ocr2_refuses_what_is_too_thin_to_pad():
    with pytest.raises(InputError, match="too thin"):
        count("deepseek-ocr-2", width=1, height=2583)


def test_what_a_processor_passes_wins_over_the_file_but_not_over_the_caller():
    # InternVL's files say crop_to_patches false; InternVLProcessor passes true. GotOcr2Processor passes false.
    assert count("internvl3", width=640, height=480).tokens == 3330
    assert count("internvl3", width=640, height=480, crop_to_patches=False).tokens == 258
    assert count("got-ocr2", width=640, height=480).tokens == 256
    assert count("got-ocr2", width=640, height=480, crop_to_patches=True).tokens == 3328


def test_class_defaults_are_not_checkpoints():
    # GotOcr2ImageProcessor's own tile is 384; of the models that use it, none is.
    rule, _ = image_rule(Config({}, "file"), Patch.square(14), {"crop_to_patches": True}, "InternVLProcessor")
    assert isinstance(rule, ClosestAspect)
    assert rule.tile == Size(height=384, width=384)
    assert count("aya-vision", width=364, height=364).views[0].size == Size(height=364, width=364)


def test_aya_numbers_its_tiles_and_not_the_overview():
    sequence = count("aya-vision", width=1000, height=300).sequence
    text = sequence.render("")
    assert text == "<|START_OF_IMG|>TILE_1TILE_2TILE_3TILE_GLOBAL<|END_OF_IMG|>"


def test_internvl_names_its_frames():
    sequence = count("internvl3", width=640, height=480, frames=2).sequence
    assert sequence.render("") == "Frame1: <img></img>\nFrame2: <img></img>"


def test_nemotron_budget_follows_the_pictures_where_the_context_is_small():
    # The processor's run with one and with twelve pictures of 1000 x 1000.
    small = {"max_model_len": 256, "min_num_patches": 100}
    assert count("nemotron-3-nano-omni", width=1000, height=1000, **small).image_tokens == 240
    twelve = count("nemotron-3-nano-omni", width=1000, height=1000, images_in_prompt=12, **small)
    assert twelve.image_tokens == 289


def test_another_image_processor_than_the_family_reads_is_refused():
    with pytest.raises(ConfigError, match="CLIPImageProcessor"):
        image_rule(Config({"image_processor_type": "CLIPImageProcessor"}, "file"), Patch.square(14), {}, "X")


def test_hostile_numbers_of_tiles_are_refused():
    for model, setting in (("internvl3", "max_patches"), ("ovis2", "max_patches"), ("aya-vision", "min_patches")):
        with pytest.raises(UsageError):
            count(model, width=640, height=480, **{setting: 10**9})


def test_covering_area_of_enormous_pictures():
    rule = CoveringArea(Size(height=448, width=448), 12, "bicubic", Patch.square(14))
    assert rule.choose(Size(height=10**8, width=1)) == (1, 12)
