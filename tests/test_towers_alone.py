"""Towers whose patches are encoded, while what the LLM receives of them is not: BLIP-2, InstructBLIP, Idefics, Molmo2."""

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from evidence import agree  # noqa: E402
from rooms import room  # noqa: E402
from test_vlm import PICTURES  # noqa: E402
from test_written_back import check_written_back  # noqa: E402
from twins import redraw, tokens_of  # noqa: E402
from vlm_twins import TEXT, TOWER, OwnViews  # noqa: E402

from vistoken import count  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import ConfigError, UsageError  # noqa: E402

QFORMER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
           "encoder_hidden_size": 32, "vocab_size": 30}  # fmt: skip
SQUARE = {"size": {"height": 56, "width": 56}}


def blip2(bias=True):
    vision = TOWER | {"image_size": 56, "qkv_bias": bias}
    config = hf.Blip2Config(vision_config=vision, qformer_config=QFORMER, text_config=TEXT | {"model_type": "llama"})
    module = hf.Blip2ForConditionalGeneration(config)
    return module, hf.BlipImageProcessorPil(**SQUARE), module.vision_model


def instructblip():
    config = hf.InstructBlipConfig(
        vision_config=TOWER | {"image_size": 56}, qformer_config=QFORMER, text_config=TEXT | {"model_type": "llama"}
    )
    module = hf.InstructBlipForConditionalGeneration(config)
    return module, hf.BlipImageProcessorPil(**SQUARE), module.vision_model


def idefics():
    vision = {key: value for key, value in TOWER.items() if key != "hidden_size"}
    vision |= {"embed_dim": 32, "image_size": 56, "layer_norm_eps": 1e-3}
    perceiver = {"resampler_n_latents": 3, "resampler_depth": 1, "resampler_n_heads": 2, "resampler_head_dim": 4,
                 "use_resampler": True}  # fmt: skip
    text = {key: value for key, value in TEXT.items() if key != "num_key_value_heads"}
    config = hf.IdeficsConfig(vision_config=vision, perceiver_config=perceiver, use_resampler=True, **text)
    module = hf.IdeficsForVisionText2Text(config)
    return module, hf.IdeficsImageProcessorPil(image_size=56, **SQUARE), module.model.vision_model


TOWERS = {
    "blip-2": blip2,
    "blip-2-bare": lambda: blip2(bias=False),
    "instructblip": instructblip,
    "idefics": idefics,
}


VIT = TOWER | {"num_key_value_heads": 2, "head_dim": 16, "image_size": [56, 56]}


def molmo2_twin():
    """The model and its processor; crops of 56 pixels that overlap by a patch on each side."""
    adapter = {"hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
               "intermediate_size": 24, "text_hidden_size": 40, "vision_feature_layer": [2, 0]}  # fmt: skip
    text = TEXT | {"head_dim": 10, "additional_vocab_size": 2}
    module = hf.Molmo2ForConditionalGeneration(
        hf.Molmo2Config(vision_config=VIT, adapter_config=adapter, text_config=text)
    )
    values = {"image_processor_type": "Molmo2ImageProcessor", "size": {"height": 56, "width": 56},
              "overlap_margins": [1, 1], "max_crops": 4}  # fmt: skip
    return module, OwnViews(values, crops)


@pytest.fixture(scope="module")
def molmo2():
    """A folder, the processor, and the model that was saved there."""
    module, processor = molmo2_twin()
    redraw(module, seed=2)
    folder = room("alone-molmo2")
    module.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder), processor, module


def crops(views, patch):
    """Patches as (row, column, channel)."""
    cells = torch.stack(views).unfold(2, patch, patch).unfold(3, patch, patch)
    return {"pixel_values": cells.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)}


def test_molmo2s_tower_equals_the_reference(molmo2):
    folder, processor, module = molmo2
    results = Encoder.from_pretrained(folder).encode(PICTURES, layers=[1, -1])
    for picture, result in zip(PICTURES, results, strict=True):
        pixels = processor(images=[picture], return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            wanted = module.model.vision_tower(pixels, output_hidden_states=True)
        agree(folder, "tokens", result.patches, wanted.last_hidden_state.flatten(0, 1), picture.size)
        agree(folder, "tokens", result.layers[1].patches, wanted.hidden_states[1].flatten(0, 1), picture.size)
        assert count(folder, width=picture.width, height=picture.height).patches == len(result.patches)
    assert max(len(result.grids) for result in results) > 2


def test_molmo2s_weights_written_back_equal_the_file(molmo2):
    check_written_back(molmo2[0])


def test_molmo2s_published_config_leaves_out_the_blocks_that_nobody_reads(molmo2, tmp_path):
    """The older names of the tower's values, and a block more than the file holds."""
    folder = Path(shutil.copytree(molmo2[0], tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    vision = config.pop("vision_config")
    old = {"image_default_input_size": vision.pop("image_size"), "image_patch_size": vision.pop("patch_size")}
    config["vit_config"] = vision | old | {"num_hidden_layers": 4}
    config["adapter_config"]["vit_layers"] = [-2, 0]
    (folder / "config.json").write_text(json.dumps(config))
    [one], [other] = (Encoder.from_pretrained(str(f)).encode(PICTURES[:1]) for f in (folder, molmo2[0]))
    assert torch.equal(one.patches, other.patches)
    config["adapter_config"]["vit_layers"] = [4]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"vit_layers is \[4\]: it must list layers from -4 to 3"):
        Encoder.from_pretrained(str(folder))


@pytest.fixture(scope="module", params=TOWERS)
def twin(request):
    """A folder, its processor, and the tower of the model that was saved there."""
    module, processor, tower = TOWERS[request.param]()
    redraw(module, seed=len(request.param))
    folder = room(f"alone-{request.param}")
    module.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder), processor, tower


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
def test_the_towers_tokens_equal_the_reference(twin, attention):
    folder, processor, tower = twin
    encoder = Encoder.from_pretrained(folder, attention=attention)
    for picture, packed in zip(PICTURES, encoder.encode(PICTURES), strict=True):
        inputs = processor(images=[picture], return_tensors="pt")
        pixels = inputs["pixel_values"] if hasattr(inputs, "keys") else inputs
        with torch.no_grad():
            wanted = tower(pixels.reshape(1, *pixels.shape[-3:])).last_hidden_state[0]
        [alone] = encoder.encode([picture])
        agree(folder, "tokens", tokens_of(alone), wanted, picture.size)
        agree(folder, "tokens", tokens_of(packed), wanted, picture.size)
        counted = count(folder, width=picture.width, height=picture.height)
        assert (counted.patches, counted.prefix_tokens) == (len(packed.patches), len(packed.prefix["cls"]))


def test_other_sizes_equal_the_reference(twin):
    folder, _, tower = twin
    generator = torch.Generator().manual_seed(5)
    pixels = [torch.randn(3, *size, generator=generator) for size in ((28, 70), (84, 42), (98, 15))]
    for image, result in zip(pixels, Encoder.from_pretrained(folder).encode_pixels(pixels), strict=True):
        with torch.no_grad():
            wanted = tower(image[None], interpolate_pos_encoding=True).last_hidden_state[0]
        agree(folder, "tokens", tokens_of(result), wanted, (image.shape[2], image.shape[1]))


def test_weights_written_back_equal_the_file(twin):
    check_written_back(twin[0])


def test_image_tokens_are_refused(twin):
    with pytest.raises(UsageError, match="no LLM stands behind it here; ask for patches"):
        Encoder.from_pretrained(twin[0]).encode(PICTURES[:1], what=["image_tokens"])
