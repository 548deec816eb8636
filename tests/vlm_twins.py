"""Tiny vision-language models of transformers with redrawn parameters, saved in the published format.

Each `VlmTwin` knows how its reference makes image tokens of one picture that went through its own processor. Families
are added to `BUILDERS`, one function each: it returns the module and its image processor.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

import torch
import transformers as hf
from twins import redraw

TEXT = {"hidden_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 32, "vocab_size": 64}  # fmt: skip


@dataclass(frozen=True)
class VlmTwin:
    """A saved model of the reference.

    `features(module, inputs)` returns the image tokens (n, out) of the one picture that `inputs` holds; `patches` the
    tower's own output for it in our order, or None where that is not compared.
    """

    name: str
    folder: str
    module: torch.nn.Module
    processor: object
    features: Callable
    patches: Callable | None = None

    def inputs(self, picture):
        return self.processor(images=[picture], return_tensors="pt")


def qwen2_5_vl():
    vision = {"depth": 4, "hidden_size": 32, "num_heads": 2, "intermediate_size": 24, "out_hidden_size": 40,
              "fullatt_block_indexes": [1, 3], "window_size": 56, "patch_size": 14}  # fmt: skip
    text = TEXT | {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 2, 2]}}
    module = hf.Qwen2_5_VLForConditionalGeneration(hf.Qwen2_5_VLConfig(vision_config=vision, text_config=text))
    processor = hf.Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 90})
    return module, processor, grid_features, merged_patches


def grid_features(module, inputs):
    return torch.cat(module.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"]).pooler_output)


def merged_patches(module, inputs):
    """The tower's output, from blocks of 2 x 2 (and, for Qwen2.5, windows) back to raster order: not compared."""


PIXTRAL = {"model_type": "pixtral", "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
           "intermediate_size": 24, "patch_size": 14, "hidden_act": "silu"}  # fmt: skip


def pixtral(**values):
    text = TEXT | {"model_type": "mistral"}
    config = hf.LlavaConfig(vision_config=PIXTRAL, text_config=text, vision_feature_select_strategy="full",
                            **{"vision_feature_layer": -1, **values})  # fmt: skip
    processor = hf.PixtralImageProcessorPil(size={"longest_edge": 140}, patch_size={"height": 14, "width": 14})
    return hf.LlavaForConditionalGeneration(config), processor, sized_features, None


def mistral3(**values):
    text = TEXT | {"model_type": "mistral", "rms_norm_eps": 1e-4}
    module = hf.Mistral3ForConditionalGeneration(hf.Mistral3Config(vision_config=PIXTRAL, text_config=text, **values))
    # As PixtralProcessor calls it: sides become multiples of a token, not of a patch.
    processor = hf.PixtralImageProcessorPil(size={"longest_edge": 196}, patch_size={"height": 28, "width": 28})
    return module, processor, sized_features, None


def sized_features(module, inputs):
    """Of the picture beside itself: Mistral 3's code squeezes a lone picture of one token away."""
    pixels, sizes = (torch.cat([inputs[name]] * 2) for name in ("pixel_values", "image_sizes"))
    return module.get_image_features(pixels, image_sizes=sizes).pooler_output[0]


def internvl(**values):
    vision = {"model_type": "internvl_vision", "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
              "intermediate_size": 40, "image_size": [56, 56], "patch_size": [14, 14], **values}  # fmt: skip
    config = hf.InternVLConfig(vision_config=vision, text_config=TEXT | {"model_type": "qwen2"})
    # As InternVLProcessor calls it: always cut.
    tiles = hf.GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, max_patches=6, crop_to_patches=True)
    processor = Nested(tiles, image_seq_length=4)
    return hf.InternVLForConditionalGeneration(config), processor, tile_features, None


class Nested:
    """An image processor, and what the model's own processor says beside it in its file."""

    def __init__(self, processor, **values):
        self.processor, self.values = processor, values

    def __call__(self, **inputs):
        return self.processor(**inputs)

    def save_pretrained(self, folder):
        self.processor.save_pretrained(folder)
        (Path(folder) / "processor_config.json").write_text(json.dumps(self.values))


def tile_features(module, inputs):
    return module.get_image_features(inputs["pixel_values"]).pooler_output.flatten(0, 1)


BUILDERS = {
    "qwen2.5-vl": qwen2_5_vl,
    "internvl": partial(internvl, attention_bias=True),
    "internvl-6b": partial(internvl, norm_type="rms_norm", use_qk_norm=True),
    "internvl-normed": partial(internvl, use_mean_pooling=False, use_mask_token=True, image_size=[84, 84]),
    "pixtral": pixtral,
    "pixtral-layers": partial(pixtral, vision_feature_layer=[1, -2], multimodal_projector_bias=False),
    "mistral3": mistral3,
    "mistral3-bias": partial(mistral3, multimodal_projector_bias=True, vision_feature_layer=-2),
}


@cache
def vlm_twin(name) -> VlmTwin:
    module, processor, features, patches = BUILDERS[name]()
    redraw(module, seed=len(name))
    folder = Path(mkdtemp(prefix=f"vlm-{name}-"))
    module.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"]
    return VlmTwin(name, str(folder), module, processor, features, patches)
