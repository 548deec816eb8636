"""Tiny vision-language models of transformers with redrawn parameters, saved in the published format.

Each `VlmTwin` knows how its reference makes image tokens of one picture that went through its own processor. Families
are added to `BUILDERS`, one function each: it returns the module and its image processor.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
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


def qwen2_vl():
    vision = {"depth": 3, "embed_dim": 32, "hidden_size": 40, "num_heads": 2, "mlp_ratio": 2}
    text = TEXT | {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 2, 2]}}
    module = hf.Qwen2VLForConditionalGeneration(hf.Qwen2VLConfig(vision_config=vision, text_config=text))
    processor = hf.Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 90})
    return module, processor, grid_features, merged_patches


def qwen3_vl():
    """Two blocks' outputs as deepstack; a table of 7 x 7, smaller and larger than the pictures' grids."""
    vision = {**QWEN3, "deepstack_visual_indexes": [0, 2]}
    text = TEXT | {
        "head_dim": 10,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 2, 2]},
    }
    module = hf.Qwen3VLForConditionalGeneration(hf.Qwen3VLConfig(vision_config=vision, text_config=text))
    return module, _qwen3_processor(), grid_features, merged_patches


def qwen3_5():
    linear = {
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
    }
    text = TEXT | linear | {"head_dim": 16, "layer_types": ["full_attention"]}
    vision = QWEN3 | {"rope_parameters": {"rope_type": "axial", "rope_theta": 300.0}}
    config = hf.Qwen3_5Config(vision_config=vision, text_config=text)
    return hf.Qwen3_5ForConditionalGeneration(config), _qwen3_processor(), grid_features, merged_patches


QWEN3 = {"depth": 4, "hidden_size": 32, "num_heads": 2, "intermediate_size": 24, "out_hidden_size": 40,
         "num_position_embeddings": 49, "patch_size": 16}  # fmt: skip


def _qwen3_processor():
    size = {"shortest_edge": 32 * 32 * 4, "longest_edge": 32 * 32 * 90}
    return hf.Qwen2VLImageProcessorPil(patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3, size=size)


def grid_features(module, inputs):
    return torch.cat(module.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"]).pooler_output)


def merged_patches(module, inputs):
    """The tower's output, from blocks of 2 x 2 (and, for Qwen2.5, windows) back to raster order: not compared."""


BUILDERS = {"qwen2.5-vl": qwen2_5_vl, "qwen2-vl": qwen2_vl, "qwen3-vl": qwen3_vl, "qwen3.5": qwen3_5}


@cache
def vlm_twin(name) -> VlmTwin:
    module, processor, features, patches = BUILDERS[name]()
    redraw(module, seed=len(name))
    folder = Path(mkdtemp(prefix=f"vlm-{name}-"))
    module.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"]
    return VlmTwin(name, str(folder), module, processor, features, patches)
