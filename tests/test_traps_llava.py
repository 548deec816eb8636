"""Traps of LLaVA and its kin: numbers are those of transformers 5.23.0's processors, or of the vendor's formula."""

import json

import pytest

from vistoken.counting import count
from vistoken.errors import ConfigError, InputError, UsageError
from vistoken.geometry import Size
from vistoken.registry import describe

PINPOINTS = "image_grid_pinpoints"


def folder(path, config, preprocessor=None, processor=None):
    """A model folder of these files."""
    for name, values in (
        ("config.json", config),
        ("preprocessor_config.json", preprocessor),
        ("processor_config.json", processor),
    ):
        if values is not None:
            (path / name).write_text(json.dumps(values))
    return str(path)


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        ("llava-next", 55, 88, 984),  # 88 * (24 / 55 ...) falls to 14.999999999999998, which counts as 15
        ("llava-next-video", 55, 88, 984),
        ("llava-onevision", 738, 820, 4084),
        ("granite-vision-3", 738, 820, 4084),
        ("granite-vision-4", 376, 470, 352),
    ],
)
def test_sides_are_rounded_to_seven_decimals_before_they_are_cut(model, width, height, tokens):
    """Source: replace_image_token of the models' processors."""
    assert count(model, width=width, height=height).tokens == tokens


def test_without_that_rounding_the_counts_would_differ(monkeypatch):
    import vistoken.prompts.unpad as unpad

    monkeypatch.setattr(unpad, "round", lambda value, digits: value, raising=False)
    assert count("llava-next", width=55, height=88).tokens != 984


def test_canvases_of_llava_are_height_before_width():
    """Source: LlavaNextProcessor: 24 x (48 + 1) + 576 and 48 x (24 + 1) + 576."""
    assert count("llava-next", width=672, height=336).tokens == 1752
    assert count("llava-next", width=336, height=672).tokens == 1776


def test_canvases_of_deepseek_vl2_are_width_before_height(tmp_path):
    """Source: processing_deepseek_vl_v2.py: 14 x 15 + 1 + (14 rows) x (14 columns + 1)."""
    processor = {"candidate_resolutions": [[384, 384], [768, 384]], "patch_size": 14, "downsample_ratio": 2}
    model = folder(tmp_path, {"model_type": "deepseek_vl_v2"}, processor=processor)
    assert count(model, width=768, height=384).tokens == 211 + 14 * 29
    assert count(model, width=384, height=768).tokens == 421


def test_one_tile_of_deepseek_vl2_is_seen_twice():
    assert count("deepseek-vl2", width=384, height=384).tokens == 421
    assert count("deepseek-vl2", width=384, height=384).patches == 2 * 27 * 27


@pytest.mark.parametrize(("images", "tokens"), [(1, 1807), (2, 1807), (3, 421), (8, 421)])
def test_deepseek_vl2_cuts_nothing_from_three_pictures_on(images, tokens):
    """Source: processing_deepseek_vl_v2.py, `cropping=len(images) <= 2`."""
    assert count("deepseek-vl2", width=1280, height=720, images_in_prompt=images).tokens == tokens


def test_deepseek_vl2_refuses_a_picture_of_which_nothing_is_left():
    with pytest.raises(InputError, match="too thin"):
        count("deepseek-vl2", width=3000, height=3)


@pytest.mark.parametrize(("images", "tokens"), [(1, 5967), (2, 730), (5, 730)])
def test_several_pictures_for_llava_onevision(images, tokens):
    """Source: LlavaOnevisionProcessor with the pictures of one prompt in a list of their own."""
    assert count("llava-onevision", width=1280, height=720, images_in_prompt=images).tokens == tokens


def test_several_pictures_for_llava_onevision_are_padded_to_squares():
    (view,) = describe("llava-onevision").among(2).views(Size(height=101, width=200))
    assert [str(step) for step in view.steps] == [
        "pad to 200x200, picture at left 0, top 49, filled with RGB 127 127 127", "resize to 384x384 (bicubic)",
    ]  # fmt: skip


def test_cap_of_llava_onevision_halves_36_tiles_and_leaves_nine():
    """Source: LlavaOnevisionProcessor: 729 + 81 x 82 for both."""
    assert count("llava-onevision", width=1152, height=1152).tokens == 7371
    assert count("llava-onevision", width=2304, height=2304).tokens == 7371


def test_a_picture_so_thin_that_nothing_but_padding_is_left():
    """Source: LlavaNextProcessor."""
    assert count("llava-next", width=3000, height=30).tokens == 576


def test_class_defaults_are_not_checkpoints(tmp_path):
    """LlavaNextImageProcessor assumes 224 where published files say 336: 16 x 16 tokens, 3 x 3 tiles of 672 x 672."""
    model = folder(tmp_path, {"model_type": "llava_next"}, {})
    assert count(model, width=640, height=480).tokens == 256 + 36 * (48 + 1)
    assert count("llava-next", width=640, height=480).tokens == 576 + 36 * (48 + 1)
    with pytest.raises(InputError, match="whole tiles"):  # 672 x 336 is one and a half tiles high
        count(model, width=672, height=300)


def test_a_folder_without_a_processor_file_counts_what_the_model_needs(tmp_path):
    model = folder(tmp_path, {"model_type": "llava"}, {"image_processor_type": "CLIPImageProcessor", "crop_size": 336})
    assert count(model, width=640, height=480).tokens == 576
    config = {"model_type": "llava", "vision_feature_select_strategy": "full"}
    folder(tmp_path, config, {"image_processor_type": "CLIPImageProcessor", "crop_size": 336})
    assert count(model, width=640, height=480).tokens == 577


def test_class_tokens_of_videos_are_kept_by_video_llava():
    """Source: VideoLlavaProcessor, replace_video_token; the config's video_seq_length."""
    assert count("video-llava", width=640, height=480, frames=8).tokens == 8 * 257
    assert count("video-llava", width=640, height=480).tokens == 256


def test_videos_of_models_without_a_rule_for_frames():
    with pytest.raises(UsageError, match="give frames"):
        count("llava-onevision", width=640, height=480, duration=10, fps=30)
    assert count("llava-onevision", width=640, height=480, duration=10, fps=30, num_frames=8).frames == 8
    assert count("llava-onevision", width=640, height=480, duration=10, fps=30, sampling_fps=2).frames == 20
    with pytest.raises(InputError, match="ask for fewer"):
        count("llava-onevision", width=640, height=480, duration=0.1, fps=30, num_frames=8)


def test_llava_image_processor_pads_to_a_square_before_it_resizes(tmp_path):
    transformers = pytest.importorskip("transformers")
    np = pytest.importorskip("numpy")
    from PIL import Image

    from vistoken.pixels import carry_out

    values = {"do_pad": True, "size": {"shortest_edge": 40}, "crop_size": 36, "image_mean": [0.0] * 3,
              "image_std": [1.0] * 3}  # fmt: skip
    preprocessor = {"image_processor_type": "LlavaImageProcessor", **values}
    spec = describe(folder(tmp_path, {"model_type": "llava"}, preprocessor))
    for height, width in ((30, 51), (51, 30), (20, 20)):
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))
        wanted = transformers.LlavaImageProcessorPil(**values, do_rescale=False)(picture)["pixel_values"][0]
        (view,) = spec.views(Size(height=height, width=width))
        np.testing.assert_array_equal(np.moveaxis(np.asarray(carry_out(picture, view)), -1, 0), wanted)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({PINPOINTS: []}, "pairs of sides"),
        ({PINPOINTS: [[336, 336]] * 5000}, "pairs of sides"),
        ({PINPOINTS: [[336, 10**7]]}, "at most 1,048,576"),
        ({PINPOINTS: [[336, True]]}, "tiles|pair"),
        ({PINPOINTS: [[336 * 40, 336 * 40]]}, "more than 1,024 tiles"),
        ({PINPOINTS: "336x672"}, "pairs of sides"),
        ({"size": 10, "crop_size": 10}, "does not hold one patch"),
        ({"do_resize": False, "size": 448}, "differ"),
        ({"crop_size": None}, "must be a size"),
    ],
    ids=str,
)
def test_impossible_canvases_are_refused(tmp_path, values, reason):
    with pytest.raises(ConfigError, match=reason):
        describe(folder(tmp_path, {"model_type": "llava_next"}, {"size": 336, "crop_size": 336, **values}))


@pytest.mark.parametrize("rate", ["1/0", "9/8", "1e9999/1", 0.5, "0/8", "-4/8"])
def test_impossible_downsampling_is_refused(tmp_path, rate):
    config = {"model_type": "granite4_vision", "downsample_rate": rate}
    with pytest.raises(ConfigError, match="downsample_rate"):
        describe(folder(tmp_path, config, {}))


def test_pixtral_folders_with_the_model_type_of_llava_are_told_apart(tmp_path):
    config = {"model_type": "llava", "vision_config": {"model_type": "pixtral"}}
    spec = describe(folder(tmp_path, config, {"image_processor_type": "PixtralImageProcessor"}))
    assert (spec.rule, spec.prompt) == (describe("pixtral-12b").rule, describe("pixtral-12b").prompt)


def test_aria_splits_in_pieces_of_980_of_canvases_of_490():
    """Source: AriaProcessor with split_image: 1960 x 980 makes two pieces."""
    assert count("aria", width=2000, height=800, split_image=True).tokens == 2 * 256
    assert count("aria", width=2000, height=800, split_image=True, max_image_size=490).tokens == 8 * 128
