"""Traps of the families that shrink, fill or cut windows: numbers of transformers 5.23.0 unless a comment says more."""

import pytest

import vistoken as vt
from vistoken import registry
from vistoken.errors import InputError
from vistoken.geometry import Size
from vistoken.sampling.numbers import spaced_in_single


def resized(model, width, height, **settings):
    view = vt.count(model, width=width, height=height, **settings).views[-1]
    return view.size.width, view.size.height


def test_pixtral_cuts_what_integer_division_would_not():
    # get_resize_output_image_size: 1333 / (2000 / 1024) = 682.496 is cut to 682; 43 rows of 16.
    assert resized("pixtral-12b", 2000, 1333) == (1024, 688)


def test_pixtral_refuses_what_shrinks_to_nothing():
    with pytest.raises(InputError, match="too thin"):
        vt.count("pixtral-12b", width=2583, height=1)


def test_pixtral_enlarges_nothing_but_the_last_cell():
    assert resized("mistral-small-3.1", 29, 28) == (56, 28)


def test_lighton_gives_odd_rows_and_columns_no_token():
    # LightOnOcrProcessor: 5 x 3 patches of 14, of which 2 x 1 blocks of 2 x 2 are whole.
    count = vt.count("lighton-ocr-1b", width=42, height=70)
    assert (count.patches, count.tokens) == (15, 2)


def test_kimi_vl_pads_past_its_own_limit():
    # The vendor's `rescale`: 91 x 51 whole patches, over 4096; 1202 x 676 pixels; padded to 1204 x 700.
    count = vt.count("kimi-vl-a3b", width=1280, height=720)
    assert (count.patches, count.tokens) == (4300, 1075)


def test_kimi_vl_refuses_512_patches_a_side():
    # "Exceed pos emb"
    assert vt.count("kimi-vl-a3b", width=7140, height=28).patches == 1020
    with pytest.raises(InputError, match="512"):
        vt.count("kimi-vl-a3b", width=7141, height=28)


def test_kimi_k25_pads_past_its_own_limit():
    # navit_resize: 130 x 130 patches under a limit of 16,384.
    assert vt.count("kimi-k2.5", width=3000, height=3000).patches == 16_900


def test_kimi_k25_reads_the_vendors_nested_names():
    spec = registry.describe("kimi-k2.5", settings={"max_patches": 300})
    assert (spec.rule.limit, spec.rule.side) == (300, 512)
    assert registry.describe("kimi-k2.5").video.rule.frame.limit == 4096


def test_kimi_k25_counts_a_frame_for_each_chunk_of_four():
    # Kimi_K25Processor.replace_video_token: 52 x 92 patches are 1196 tokens, over 4096: 48 x 84, 1008 tokens a chunk.
    count = vt.count("kimi-k2.5", width=1280, height=720, frames=5, fps=1)
    assert count.image_tokens == 2 * vt.count("kimi-k2.5", width=1280, height=720, frames=4, fps=1).image_tokens
    assert count.text == ("00:00:00.000", "video", "00:00:04.000", "video")


def test_fuyu_counts_newlines_and_the_last_token():
    # FuyuProcessor: 24 rows of 43, a newline each, and <s>.
    count = vt.count("fuyu-8b", width=1280, height=720)
    assert (count.image_tokens, count.marker_tokens) == (1032, 25)


def test_gemma4_enlarges_a_single_pixel():
    assert vt.count("gemma-4-e4b", width=1, height=1).image_tokens == 256


def test_gemma4_gives_a_thin_picture_the_whole_quotient():
    # get_aspect_ratio_preserving_size: floor(3000 / 30) = 100 would fit, but the height of 30 x 3000 is 167 units.
    assert resized("gemma-4-e4b", 30, 3000) == (48, 8016)
    assert resized("gemma-4-e4b", 3000, 10) == (13_440, 48)


def test_gemma4_videos_have_a_budget_and_a_time_of_their_own():
    count = vt.count("gemma-4-e4b", width=1280, height=720, frames=3, fps=0.02)
    assert count.text == ("00:00 ", " 00:50 ", " 01:40 ")
    assert count.image_tokens == 3 * 66  # 6 x 11 under 70
    assert count.marker_tokens == 6


def test_muse_takes_the_sets_order_where_two_grids_are_equally_close():
    # smart_resize: 1.5 rows; |1 - 1.5| = |2 - 1.5|.
    assert resized("muse-glimmer-30b", 28, 42) == (28, 28)


def test_muse_exceeds_its_cap_where_no_grid_around_will_do():
    # smart_resize, `if not candidates`: 0.0064 rows and 640,000 columns.
    assert vt.count("muse-glimmer-30b", width=100_000_000, height=1).image_tokens == 640_000


def test_muse_spreads_frames_in_single_precision():
    # torch.linspace(0, 114, 96).long() has 59 at 50; 50 x 114 / 95 is 60 exactly.
    assert int(spaced_in_single(114, 96)[50]) == 59
    assert spaced_in_single(9, 4) == [0, 3, 6, 9]


def test_inkling_adds_a_column_to_a_whole_width():
    # divide_to_patches: rows are rounded up, columns are floor + 1.
    assert vt.count("inkling", width=40, height=40).tokens == 2
    assert vt.count("inkling", width=39, height=40).tokens == 1
    assert vt.count("inkling-2-small", width=40, height=40).tokens == 1


def test_inkling_scales_half_pixels_up():
    # _preprocess: floor(side * ratio + 0.5); 1280 x 960 of 640 x 480, 24 x 33.
    assert vt.count("inkling", width=640, height=480, rescale_image_frac=2.0).tokens == 792
    assert resized("inkling", 641, 480, rescale_image_frac=0.5) == (360, 240)


def test_step_cuts_what_fits_only_if_it_is_elongated():
    # _plan_patches: over 1.5, not from 1.5.
    assert len(vt.count("step-3.7-flash", width=600, height=400).views) == 1
    assert len(vt.count("step-3.7-flash", width=601, height=400).views) == 3


def test_step_snaps_up_over_a_fifth_of_a_window():
    # 504 * 0.2 = 100.8
    rule = registry.describe("step-3.7-flash").rule
    assert rule.plan(Size(height=1000, width=604)).cols == 1
    assert rule.plan(Size(height=1000, width=605)).cols == 2
