"""What is easily got wrong about models of a fixed number of tokens; the numbers are the reference's own runs."""

import json

import pytest

import vistoken as vt
from vistoken.errors import InputError, VistokenError
from vistoken.views.steps import Pad, Resize

# Numbers without a source in their comment: the named processor of transformers 5.23.0, run on that size.


def folder(path, config, preprocessor, **others):
    files = {"config": config, "preprocessor_config": preprocessor, **others}
    for name, values in files.items():
        (path / f"{name}.json").write_text(json.dumps(values))
    return str(path)


def sizes(result):
    return [(view.size.width, view.size.height) for view in result.views]


def test_florence_2_counts_the_mean_of_all_cells():
    # Florence2MultiModalProjector: 24 x 24 cells and their mean.
    result = vt.count("florence-2-base", width=1280, height=720)
    assert (result.patches, result.image_tokens, result.marker_tokens) == (576, 577, 0)


def test_chameleon_writes_a_token_before_and_after():
    result = vt.count("chameleon-7b", width=1280, height=720)
    assert (result.image_tokens, result.marker_tokens) == (1024, 2)
    assert result.sequence.render("<image>") == "<racm3:break>" + "<image>" * 1024 + "<eoss>"


def test_blip_2_has_another_size_than_its_class():
    # The published file says 224; BlipImageProcessor alone makes 384, that is 27 x 27 patches.
    assert vt.count("blip-2-opt-2.7b", width=640, height=480).patches == 256


def test_a_class_default_holds_where_the_file_says_nothing(tmp_path):
    path = folder(tmp_path, {"model_type": "blip-2"}, {"image_processor_type": "BlipImageProcessor"})
    result = vt.count(path, width=640, height=480)
    assert (result.patches, result.prefix_tokens, result.tokens) == (729, 1, 32)


def test_blip_ignores_padding_that_has_no_size():
    assert sizes(vt.count("blip-vqa-base", width=1, height=3000)) == [(384, 384)]


def test_padding_to_a_size_is_refused(tmp_path):
    path = folder(
        tmp_path, {"model_type": "blip"}, {"do_pad": True, "pad_size": {"height": 400, "width": 400}, "size": 384}
    )
    with pytest.raises(VistokenError, match="do_pad"):
        vt.count(path, width=640, height=480)


def test_instructblip_for_videos_writes_four_frames_of_tokens(tmp_path):
    # InstructBlipVideoProcessor: video_token * num_query_tokens * 4, whatever the frames.
    path = folder(tmp_path, {"model_type": "instructblipvideo"}, {"size": {"height": 224, "width": 224}})
    for frames in (1, 4, 7):
        result = vt.count(path, width=640, height=480, frames=frames)
        assert (result.patches, result.tokens) == (256 * frames, 128)


def test_kosmos_2_stretches_though_its_file_tells_of_a_short_side():
    # CLIPImageProcessor.__init__ with use_square_size: no part of a long picture is cut off.
    (view,) = vt.count("kosmos-2", width=3000, height=100).views
    assert isinstance(view.steps[0], Resize)
    assert (view.steps[0].size.width, view.steps[0].size.height) == (224, 224)
    assert (view.box.left, view.box.right) == (0, 3000)


def test_kosmos_2_uses_the_class_size_whatever_the_file_says(tmp_path):
    # CLIPImageProcessorPil(use_square_size=True, size={"shortest_edge": 336}).size is 224 x 224.
    values = {"use_square_size": True, "size": {"shortest_edge": 336}, "do_center_crop": False}
    assert sizes(vt.count(folder(tmp_path, {"model_type": "kosmos-2"}, values), width=640, height=480)) == [(224, 224)]


def test_pix2struct_large_gets_the_budget_of_its_processor():
    # Pix2StructProcessor.images_kwargs: max_patches 2048 wins over the 4096 of the file; without it 48 x 85.
    result = vt.count("pix2struct-large", width=1280, height=720)
    assert result.patches == 33 * 60
    assert "4096" in " ".join(result.spec.notes)
    assert vt.count("pix2struct-large", width=1280, height=720, max_patches=4096).patches == 48 * 85


def test_a_power_of_one_half_is_no_square_root():
    # 3025 patches for 67x67: area ** 0.5 falls short of 55 rows, math.sqrt does not.
    assert vt.count("pix2struct-base", width=67, height=67, max_patches=3025).patches == 54 * 54
    assert vt.count("kosmos-2.5", width=67, height=67, max_patches=3025).patches == 55 * 55


def test_a_question_above_the_picture_is_told(tmp_path):
    assert any("question" in note for note in vt.count("deplot", width=640, height=480).spec.notes)
    assert not vt.count("pix2struct-base", width=640, height=480).spec.notes
    path = folder(tmp_path, {"model_type": "pix2struct"}, {"is_vqa": True})
    assert any("question" in note for note in vt.count(path, width=640, height=480).spec.notes)


def test_janus_rounds_ties_to_even_and_keeps_a_least_side():
    # 15 * 384 / 256 = 22.5; 384 / 3000 would be 0.
    (view,) = vt.count("janus-pro-7b", width=256, height=15).views
    assert (view.steps[0].size.width, view.steps[0].size.height) == (384, 22)
    (view,) = vt.count("janus-pro-7b", width=3000, height=1).views
    assert (view.steps[0].size.width, view.steps[0].size.height) == (384, 14)
    assert view.steps[1] == Pad(185, 0, view.size, fill=(127, 127, 127))


def test_deepseek_vl_7b_has_two_towers():
    result = vt.count("deepseek-vl-7b", width=1280, height=720)
    assert sizes(result) == [(384, 384), (1024, 1024)]
    assert (result.patches, result.tokens) == (24 * 24 + 64 * 64, 576)


def test_emu3_counts_the_end_of_each_row_as_image_token():
    result = vt.count("emu3-chat", width=1280, height=720)
    assert (result.patches, result.image_tokens, result.marker_tokens) == (90 * 160, 90 * 161, 4)
    assert result.text == ("90*160",)
    assert result.sequence.render("i").startswith("<|image start|>90*160<|image token|>ii")


def test_emu3_enlarges_a_side_that_rounds_to_nothing():
    # smart_resize with a factor of 8: 3 rounds to 0, so that the minimum of 512 x 512 decides.
    assert sizes(vt.count("emu3-chat", width=1200, height=6)) == [(7248, 40)]


def test_pi0_loses_a_pixel_to_floats():
    # int(55 * (224 / 55)) is 223: the last row and column are padding.
    (view,) = vt.count("pi0", width=55, height=55).views
    assert view.steps[0].size.height == view.steps[0].size.width == 223
    with pytest.raises(InputError, match="too thin"):
        vt.count("pi0", width=225, height=1)


def test_pp_formulanet_needs_a_pixel_on_its_short_side():
    # 768x1: 589824x768, then 768x1; 769x1 would have no row.
    assert vt.count("pp-formulanet-l", width=768, height=1).tokens == 2304
    with pytest.raises(InputError, match="too thin"):
        vt.count("pp-formulanet-l", width=769, height=1)


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("blip-vqa-base", 577), ("git-base", 197), ("udop-large", 196), ("pix2struct-base", 1980)],
)
def test_models_without_an_image_token_have_no_prompt(model, tokens):
    result = vt.count(model, width=1280, height=720)
    assert result.image_tokens is None
    assert (result.tokens, sum(count for _, count in result.rows)) == (tokens, tokens)


# Processors of the older kind build the prompt within their call: these run it, with a tokenizer of a few words.


@pytest.mark.parametrize(("model", "kind"), [("blip-2-opt-2.7b", "Blip2Processor"),
                                             ("instructblip-7b", "InstructBlipProcessor")])  # fmt: skip
def test_the_image_tokens_stand_before_the_text(model, kind):
    transformers = pytest.importorskip("transformers")
    from vistoken.judge.reference import tokenizer
    from vistoken.judge.shapes import blank

    words = tokenizer({"one": "hello"})
    parts = {} if kind == "Blip2Processor" else {"qformer_tokenizer": tokenizer({"one": "hello"})}
    image = transformers.BlipImageProcessorPil(size={"height": 224, "width": 224})
    processor = getattr(transformers, kind)(image, words, num_query_tokens=32, **parts)
    (ids,) = processor(images=blank(480, 640), text=["hello"])["input_ids"]
    written = words.convert_ids_to_tokens(ids)
    assert written == ["<image>"] * 32 + ["hello"]
    assert vt.count(model, width=640, height=480).sequence.render("<image>") == "".join(written[:-1])


def test_kosmos_2_writes_places_between_its_tags():
    transformers = pytest.importorskip("transformers")
    from vistoken.judge.reference import tokenizer
    from vistoken.judge.shapes import blank

    words = tokenizer({"bos_token": "<s>", "one": "hello"})
    processor = transformers.Kosmos2Processor(transformers.CLIPImageProcessorPil(use_square_size=True), words)
    written = processor.preprocess_examples("hello", images=blank(480, 640))
    assert (
        written == vt.count("kosmos-2", width=640, height=480).sequence.render("<image>").replace(">", "> ") + "hello"
    )
    mask = processor(images=blank(480, 640), text="hello")["image_embeds_position_mask"]
    assert sum(mask) == 64


def test_kosmos_2_5_writes_2048_places():
    transformers = pytest.importorskip("transformers")
    from vistoken.judge.reference import tokenizer
    from vistoken.judge.shapes import blank

    names = {"bos_token": "<s>", "image_token": "<s>", "boi_token": "<image>", "eoi_token": "</image>", "one": "hello"}
    words = tokenizer(names)
    processor = transformers.Kosmos2_5Processor(transformers.Kosmos2_5ImageProcessorPil(), words)
    (ids,) = processor(images=blank(48, 64), text="hello")["input_ids"]
    written = "".join(words.convert_ids_to_tokens(ids.tolist()))
    assert written == "<s>" + vt.count("kosmos-2.5", width=64, height=48).sequence.render("<s>") + "hello"


def test_pi0_writes_256_tokens_for_each_camera():
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torchvision")
    from vistoken.judge.reference import tokenizer
    from vistoken.judge.shapes import blank

    words = tokenizer({"bos_token": "<bos>", "one": "hello"})
    processor = transformers.PI0Processor(transformers.PI0ImageProcessor(), words)
    inputs = processor(images=[[blank(480, 640)] * 2], text=["hello"], padding=False, max_length=None)
    assert (inputs["input_ids"] == words.convert_tokens_to_ids("<image>")).sum() == 2 * 256
    assert vt.count("pi0", width=640, height=480).tokens == 256
