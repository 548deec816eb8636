"""Traps of the families that put a picture on a canvas of tiles: numbers of transformers 5.23.0, taken by running it."""

from __future__ import annotations

import json

import pytest

import vistoken as vt
from vistoken.errors import ConfigError, InputError, UsageError
from vistoken.geometry import Size
from vistoken.single import single, singles
from vistoken.views.canvas import by_area, by_columns, by_ratio, by_ratio_and_area
from vistoken.views.steps import Crop, Pad, Resize


def folder(path, config, preprocessor, processor=None):
    for name, values in (("config", config), ("preprocessor_config", preprocessor), ("processor_config", processor)):
        if values is not None:
            (path / f"{name}.json").write_text(json.dumps(values))
    return str(path)


def steps(model, width, height):
    return vt.count(model, width=width, height=height).views[0].steps


def test_llama_32_writes_one_token_and_reads_four_slots_whatever_the_size():
    for width, height, tiles in ((1, 1, 1), (640, 480, 2), (1280, 720, 4), (4032, 3024, 4)):
        result = vt.count("llama-3.2-vision", width=width, height=height)
        assert (result.tokens, result.image_tokens, result.marker_tokens) == (1, 0, 1)
        assert (result.tiling.tiles, result.cross_tokens) == (tiles, 4 * 1601)
        assert result.patches + result.prefix_tokens == tiles * 1601


def test_llama_32_base_models_have_smaller_tiles():
    # 448 / 14 = 32: 4 x (32 x 32 + 1); the class default of 224 is no published value.
    assert vt.count("llama-3.2-11b-vision", width=640, height=480).cross_tokens == 4 * 1025


def test_llama_32_wide_and_high_are_not_mixed_up():
    assert vt.count("llama-3.2-vision", width=3000, height=1000).tiling[1:3] == (1, 3)
    assert vt.count("llama-3.2-vision", width=1000, height=3000).tiling[1:3] == (3, 1)


def test_llama_32_refuses_more_tiles_than_it_has_positions_for():
    with pytest.raises(UsageError, match="max_num_tiles 4"):
        vt.count("llama-3.2-vision", width=640, height=480, max_image_tiles=5)


def test_llama_4_enlarges_to_one_tile_at_most_and_pads():
    assert steps("llama-4", 100, 900) == (
        Resize(Size(height=900, width=100), "bilinear"),
        Pad(0, 0, Size(height=1008, width=336)),
        Crop(0, 0, Size(height=336, width=336)),
    )


def test_llama_4_with_the_largest_canvas():
    assert vt.count("llama-4", width=100, height=100, resize_to_max_canvas=True).tiling[1:3] == (4, 4)
    assert vt.count("llama-4", width=100, height=100).tiling[1:3] == (1, 1)


def test_float32_as_numpy_and_torch_round():
    assert single(16_777_217) == 16_777_216.0
    assert singles((0.1, 1 / 3)) == (0.10000000149011612, 0.3333333432674408)


def test_lists_of_grids_stand_in_the_order_that_decides_ties():
    assert by_area(4) == ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (2, 2), (4, 1))
    assert by_columns(4) == ((1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (4, 1), (2, 2), (1, 4))
    # As `_find_supported_aspect_ratios` of PerceptionLM lists them for 5 tiles.
    assert by_ratio(5) == ((1, 5), (5, 1), (1, 4), (2, 2), (1, 1), (4, 1), (1, 3), (3, 1), (1, 2), (2, 1))
    assert by_ratio_and_area(5)[:3] == ((1, 1), (1, 2), (2, 1))


def test_command_a_takes_tokens_of_a_tile_from_the_patch_squared(tmp_path):
    # 16 squared is (512 / 16 / 2) squared by luck; with any other tile the model could not run.
    config = {"model_type": "cohere2_vision", "vision_config": {"patch_size": 16}}
    with pytest.raises(ConfigError, match="squared it must be 64"):
        vt.count(folder(tmp_path, config, {"size": {"height": 256, "width": 256}}), width=640, height=480)


def test_molmo2_smaller_than_its_margins():
    for width, height in ((112, 112), (100, 100), (111, 113), (1, 1)):
        assert vt.count("molmo2-4b", width=width, height=height).tokens == 410
    assert vt.count("molmo2-4b", width=500, height=112).tiling[1:3] == (1, 2)


def test_molmo2_column_tokens_of_the_whole_picture_differ_between_configs(tmp_path):
    # The published files say false; where the file says null or nothing, 14 rows get one each.
    assert vt.count("molmo2-4b", width=1280, height=720).tokens == 1189
    assert vt.count(folder(tmp_path, {"model_type": "molmo2"}, {}), width=1280, height=720).tokens == 1203


def test_molmo2_windows_overlap():
    views = vt.count("molmo2-4b", width=1280, height=720).views
    assert views[1].steps == (
        Resize(Size(height=644, width=1176), "bilinear", antialias=False),
        Crop(0, 0, Size(height=378, width=378)),
    )
    assert views[2].steps[1] == Crop(0, 266, Size(height=378, width=378))


def test_molmo2_times_of_frames():
    result = vt.count("molmo2-4b", width=640, height=480, frames=3, fps=2)
    assert result.text == ("0.0 ", " 0.5 ", " 1.0 ")
    # 301 frames at 25 a second: at most 2 a second are 24.
    assert vt.count("molmo2-4b", width=640, height=480, duration=301 / 25, fps=25).frames == 24


def test_perception_lm_gives_small_pictures_the_most_tiles():
    assert vt.count("perception-lm", width=1, height=1).tokens == 9472
    assert vt.count("perception-lm", width=4032, height=3024).tokens == 3328


def test_perception_lm_takes_every_frame_unless_told():
    assert vt.count("perception-lm", width=640, height=480, duration=4, fps=25).frames == 100
    assert vt.count("perception-lm", width=640, height=480, duration=4, fps=25, sampling_fps=1).frames == 4


def test_phi_4_refuses_what_becomes_too_thin():
    assert vt.count("phi-4-multimodal", width=10, height=448).tokens == 305
    with pytest.raises(InputError, match="sides under 10"):
        vt.count("phi-4-multimodal", width=9, height=448)


def test_phi_4_chooses_by_aspect_only_above_its_limit():
    assert vt.count("phi-4-multimodal", width=2688, height=2688).tiling[1:3] == (6, 6)
    assert vt.count("phi-4-multimodal", width=4032, height=3024).tiling[1:3] == (3, 4)


def test_lfm2_reads_the_preprocessor_and_not_the_config(tmp_path):
    config = {"model_type": "lfm2_vl", "use_thumbnail": False, "max_pixels_tolerance": 1.5}
    path = folder(tmp_path, config, {"image_processor_type": "Lfm2VlImageProcessorFast"})
    assert vt.count(path, width=1280, height=720).tokens == 769
    assert vt.count(path, width=1280, height=720, use_thumbnail=False).tokens == 516


def test_lfm2_refuses_what_the_library_miscounts():
    with pytest.raises(UsageError, match="take 2"):
        vt.count("lfm2-vl-450m", width=1280, height=720, min_tiles=1)
