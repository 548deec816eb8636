"""Tiny vision-language models of transformers with redrawn parameters, saved in the published format.

Each `VlmTwin` knows how its reference makes image tokens of one picture that went through its own processor. Families
are added to `BUILDERS`, one function each: it returns the module and its image processor.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from rooms import room
from twins import HALF, redraw

from vistoken import registry
from vistoken.encoding.prepared import normalise
from vistoken.geometry import Size
from vistoken.pixels import carry_out

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


def exaone4_5():
    """Two heads of keys and values for four of queries."""
    vision = {"depth": 3, "hidden_size": 32, "num_heads": 4, "num_key_value_heads": 2, "intermediate_size": 24,
              "out_hidden_size": 40, "fullatt_block_indexes": [1], "window_size": 56, "patch_size": 14}  # fmt: skip
    config = hf.Exaone4_5_Config(vision_config=vision, text_config=TEXT | {"model_type": "exaone4"})
    processor = hf.Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 90})
    return hf.Exaone4_5_ForConditionalGeneration(config), processor, grid_features, merged_patches


AUDIO = {"encoder_layers": 1, "d_model": 16, "encoder_attention_heads": 2, "encoder_ffn_dim": 16, "output_dim": 40,
         "num_mel_bins": 8, "max_source_positions": 8, "downsample_hidden_size": 8}  # fmt: skip


def qwen2_5_omni():
    """Thinker below its own name, and nothing that speaks."""
    vision = {"depth": 3, "hidden_size": 32, "num_heads": 2, "intermediate_size": 24, "out_hidden_size": 40,
              "fullatt_block_indexes": [1], "window_size": 56, "patch_size": 14}  # fmt: skip
    text = TEXT | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 2, 2]}}
    audio = {name: value for name, value in AUDIO.items() if name != "downsample_hidden_size"}
    thinker = {"vision_config": vision, "text_config": text, "audio_config": audio}
    config = hf.Qwen2_5OmniConfig(thinker_config=thinker, enable_audio_output=False)
    processor = hf.Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 90})
    return hf.Qwen2_5OmniForConditionalGeneration(config), processor, thought, None


def qwen3_omni():
    """A thinker alone."""
    text = TEXT | {"head_dim": 10, "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 8,
                   "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 2, 2]}}  # fmt: skip
    vision = {**QWEN3, "depth": 3, "deepstack_visual_indexes": [0, 1]}
    config = hf.Qwen3OmniMoeThinkerConfig(vision_config=vision, text_config=text, audio_config=AUDIO)
    return hf.Qwen3OmniMoeThinkerForConditionalGeneration(config), _qwen3_processor(), grid_features, merged_patches


def thought(module, inputs):
    return grid_features(module.thinker, inputs)


QWEN3 = {"depth": 4, "hidden_size": 32, "num_heads": 2, "intermediate_size": 24, "out_hidden_size": 40,
         "num_position_embeddings": 49, "patch_size": 16}  # fmt: skip


def _qwen3_processor():
    size = {"shortest_edge": 32 * 32 * 4, "longest_edge": 32 * 32 * 90}
    return hf.Qwen2VLImageProcessorPil(patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3, size=size)


def grid_features(module, inputs):
    return torch.cat(module.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"]).pooler_output)


def merged_patches(module, inputs):
    """The tower's output, from blocks of 2 x 2 (and, for Qwen2.5, windows) back to raster order: not compared."""


class Saved:
    """An image processor that is saved with the values of the model's processor, which tell its image tokens."""

    def __init__(self, image, **values):
        self.image, self.values = image, values

    def __call__(self, **inputs):
        return self.image(**inputs)

    def save_pretrained(self, folder):
        self.image.save_pretrained(folder)
        (Path(folder) / "processor_config.json").write_text(json.dumps(self.values))


class OwnViews:
    """In place of a processor that exists only with torchvision: what the model takes, made of our own views.

    That these are the processor's, to within one of 255 steps, `test_pixels_reference` shows with golden files, and
    `test_conformance` that there are as many.
    """

    def __init__(self, values, make):
        self.values, self.make, self.folder = values | HALF, make, None

    def save_pretrained(self, folder):
        (Path(folder) / "preprocessor_config.json").write_text(json.dumps(self.values))
        self.folder = str(folder)

    def __call__(self, images, return_tensors):
        [picture], spec = images, registry.describe(self.folder)
        views = spec.views(Size(height=picture.height, width=picture.width))
        seen = [normalise(np.asarray(carry_out(picture, view)), spec.pixels) for view in views]
        return self.make(seen, spec.encoder.patch.height)


TOWER = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24, "patch_size": 14}
CLIP, SIGLIP = TOWER | {"model_type": "clip_vision_model"}, TOWER | {"model_type": "siglip_vision_model"}


def llava(vision=CLIP, **values):
    config = hf.LlavaConfig(vision_config=vision | {"image_size": 56}, text_config=TEXT, **values)
    processor = hf.CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    return hf.LlavaForConditionalGeneration(config), processor, one_view, whole_tower


def llava_layers():
    """Several layers side by side, and no biases."""
    return llava(vision_feature_layer=[-2, 1], multimodal_projector_bias=False)


def llava_siglip():
    """A tower without a class token, with its pooling head; the last layer, which is not normed."""
    return llava(SIGLIP, vision_feature_layer=-1, vision_feature_select_strategy="full")


def vip_llava():
    """Three layers side by side, normed."""
    config = hf.VipLlavaConfig(
        vision_config=CLIP | {"image_size": 56}, text_config=TEXT, vision_feature_layer=[-2, 1, 3]
    )
    processor = hf.CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    return hf.VipLlavaForConditionalGeneration(config), processor, one_view, whole_tower


def video_llava():
    config = hf.VideoLlavaConfig(vision_config=CLIP | {"image_size": 56}, text_config=TEXT)
    processor = hf.VideoLlavaImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    return hf.VideoLlavaForConditionalGeneration(config), processor, video_llavas_picture, None


def video_llavas_picture(module, inputs):
    return module.get_image_features(inputs["pixel_values_images"]).pooler_output[0]


HEADLESS = SIGLIP | {"vision_use_head": False}
PINPOINTS = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84], [28, 140]]


def llava_next():
    """Tiles of 28 pixels on the best canvas; thin pictures lose all rows or columns to their padding."""
    config = hf.LlavaNextConfig(
        vision_config=CLIP | {"image_size": 28, "patch_size": 7}, text_config=TEXT, image_grid_pinpoints=PINPOINTS
    )
    processor = hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, image_grid_pinpoints=PINPOINTS
    )
    return hf.LlavaNextForConditionalGeneration(config), processor, tiled, None


def granite_vision():
    """LLaVA-NeXT with SigLIP, three layers side by side, as Granite Vision 3."""
    config = hf.LlavaNextConfig(
        vision_config=SIGLIP | {"image_size": 28, "patch_size": 7}, text_config=TEXT, image_grid_pinpoints=PINPOINTS,
        vision_feature_layer=[-3, -2, -1], vision_feature_select_strategy="full",
    )  # fmt: skip
    processor = hf.LlavaNextImageProcessorPil(
        size={"height": 28, "width": 28}, crop_size={"height": 28, "width": 28}, image_grid_pinpoints=PINPOINTS
    )
    values = {"patch_size": 7, "num_additional_image_tokens": 0, "vision_feature_select_strategy": "full"}
    return hf.LlavaNextForConditionalGeneration(config), Saved(processor, **values), tiled, None


def llava_next_video():
    config = hf.LlavaNextVideoConfig(
        vision_config=CLIP | {"image_size": 28, "patch_size": 7}, text_config=TEXT, image_grid_pinpoints=PINPOINTS
    )
    processor = hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, image_grid_pinpoints=PINPOINTS
    )
    return hf.LlavaNextVideoForConditionalGeneration(config), processor, tiled, None


def llava_onevision():
    """Canvases of up to 5 x 5 tiles, shrunk where they hold more tokens than 1.21 times those of 9."""
    canvases = [[28 * rows, 28 * cols] for rows in range(1, 6) for cols in range(1, 6)]
    config = hf.LlavaOnevisionConfig(
        vision_config=SIGLIP | {"image_size": 28, "patch_size": 7, "vision_use_head": False},
        text_config=TEXT, image_grid_pinpoints=canvases,
    )  # fmt: skip
    processor = hf.LlavaOnevisionImageProcessorPil(size={"height": 28, "width": 28}, image_grid_pinpoints=canvases)
    return hf.LlavaOnevisionForConditionalGeneration(config), processor, tiled, None


def idefics3(config=hf.Idefics3Config, model=hf.Idefics3ForConditionalGeneration, image=hf.Idefics3ImageProcessorPil):
    """Whole tiles of 42 pixels and the picture as one more, a table of 3 x 3 places, blocks of 3 x 3 patches."""
    vision = TOWER | {"image_size": 42}
    module = model(config(vision_config=vision, text_config=TEXT | {"pad_token_id": 0}, scale_factor=3))
    processor = image(size={"longest_edge": 168}, max_image_size={"longest_edge": 42})
    return module, Saved(processor, image_seq_len=1), masked, None


def idefics3_buckets():
    """Tiles of 56 pixels, whose 4 x 4 patches look up a table of 3 x 3 places; not split."""
    vision = TOWER | {"image_size": 42}
    config = hf.Idefics3Config(vision_config=vision, text_config=TEXT | {"pad_token_id": 0}, scale_factor=2)
    processor = hf.Idefics3ImageProcessorPil(
        size={"longest_edge": 168}, max_image_size={"longest_edge": 56}, do_image_splitting=False
    )
    return hf.Idefics3ForConditionalGeneration(config), Saved(processor, image_seq_len=4), masked, None


def smolvlm():
    return idefics3(hf.SmolVLMConfig, hf.SmolVLMForConditionalGeneration, hf.SmolVLMImageProcessorPil)


def gemma3():
    config = hf.Gemma3Config(
        vision_config=SIGLIP | {"image_size": 56, "vision_use_head": False},
        text_config=TEXT | {"head_dim": 8}, mm_tokens_per_image=4,
    )  # fmt: skip
    processor = hf.Gemma3ImageProcessorPil(size={"height": 56, "width": 56})
    return hf.Gemma3ForConditionalGeneration(config), Saved(processor, image_seq_length=4), all_views, whole_tower


def gemma4(clamped=True):
    """Clamps that bite, and what `standardize` stores, are set by hand: they are no parameters."""
    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 2,
              "head_dim": 16, "intermediate_size": 24, "patch_size": 4, "pooling_kernel_size": 3,
              "position_embedding_size": 900, "use_clipped_linears": clamped, "standardize": clamped}  # fmt: skip
    text = TEXT | {"head_dim": 8, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 64}
    module = hf.Gemma4ForConditionalGeneration(
        hf.Gemma4Config(vision_config=vision, text_config=text, audio_config=None)
    )
    generator = torch.Generator().manual_seed(3)
    for name, stored in module.named_buffers():
        if name.endswith(("_min", "_max")):
            bound = 0.5 + torch.rand((), generator=generator)
            stored.copy_(-bound if name.endswith("_min") else bound)
        elif "std_" in name:
            stored.copy_(torch.randn(stored.shape, generator=generator))
    processor = hf.Gemma4ImageProcessorPil(patch_size=4, pooling_kernel_size=3, max_soft_tokens=70)
    return module, processor, positioned, None


def gemma4_plain():
    """Neither clamps nor `standardize`."""
    return gemma4(clamped=False)


PIXTRAL = {"model_type": "pixtral", "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
           "intermediate_size": 24, "patch_size": 14, "hidden_act": "silu"}  # fmt: skip


def paligemma():
    config = hf.PaliGemmaConfig(
        vision_config=HEADLESS | {"image_size": 56}, text_config=TEXT | {"model_type": "gemma", "head_dim": 8},
        projection_dim=40,
    )  # fmt: skip
    processor = hf.SiglipImageProcessorPil(size={"height": 56, "width": 56})
    return hf.PaliGemmaForConditionalGeneration(config), processor, one_view, whole_tower


def pi0():
    gemma = TEXT | {"head_dim": 8, "model_type": "gemma"}
    vlm = {"vision_config": HEADLESS | {"image_size": 56}, "text_config": gemma, "projection_dim": 40}
    module = hf.PI0ForConditionalGeneration(hf.PI0Config(vlm_config=vlm, dit_config=gemma))
    values = {"image_processor_type": "PI0ImageProcessor", "size": {"max_height": 56, "max_width": 56},
              "pad_size": {"height": 56, "width": 56}, "image_seq_length": 16}  # fmt: skip
    return module, OwnViews(values, stacked), lambda module, inputs: one_view(module.model.vlm, inputs), None


def shieldgemma2():
    config = hf.ShieldGemma2Config(
        vision_config=HEADLESS | {"image_size": 56}, text_config=TEXT | {"model_type": "gemma3_text", "head_dim": 8},
        mm_tokens_per_image=4,
    )  # fmt: skip
    processor = Saved(hf.Gemma3ImageProcessorPil(size={"height": 56, "width": 56}), image_seq_length=4)
    module = hf.ShieldGemma2ForImageClassification(config)
    return module, processor, lambda module, inputs: all_views(module.model, inputs), None


COHERE = TEXT | {"model_type": "cohere2"}


def aya_vision(**values):
    """Tiles of 56 pixels, the last hidden state before the tower's norm, and an MLP of 24 behind the norm."""
    config = hf.AyaVisionConfig(
        vision_config=HEADLESS | {"image_size": 56}, text_config=COHERE, adapter_layer_norm_eps=1e-3,
        **{"alignment_intermediate_size": 48} | values,
    )  # fmt: skip
    # As AyaVisionProcessor calls it: always cut.
    tiles = hf.GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, max_patches=6, crop_to_patches=True)
    processor = Saved(tiles, patch_size=28, img_size=56)
    return hf.AyaVisionForConditionalGeneration(config), processor, all_views, None


def cohere2_vision():
    """Tiles of 64 pixels: 16 tokens of 2 x 2 patches, the square of the `patch_size` in the processor's file."""
    config = hf.Cohere2VisionConfig(
        vision_config=HEADLESS | {"image_size": 64, "patch_size": 8}, text_config=COHERE, alignment_intermediate_size=48
    )
    values = {"image_processor_type": "Cohere2VisionImageProcessorFast", "size": {"height": 64, "width": 64},
              "patch_size": 4, "max_patches": 6}  # fmt: skip
    return hf.Cohere2VisionForConditionalGeneration(config), OwnViews(values, stacked), all_views, None


def lfm2_vl(**values):
    """Views of up to 20 tokens of 2 x 2 patches, or tiles of 64 pixels and a thumbnail; a table of 3 x 3 places."""
    vision = HEADLESS | {"model_type": "siglip2_vision_model", "patch_size": 16, "num_patches": 9}
    text = TEXT | {"model_type": "lfm2", "layer_types": ["full_attention"]}
    config = hf.Lfm2VlConfig(vision_config=vision, text_config=text, projector_hidden_size=24, **values)
    processor = {"image_processor_type": "Lfm2VlImageProcessor", "encoder_patch_size": 16, "tile_size": 64,
                 "min_image_tokens": 4, "max_image_tokens": 20, "max_tiles": 6}  # fmt: skip
    return hf.Lfm2VlForConditionalGeneration(config), OwnViews(processor, naflex), naflex_features, None


def idefics2(text_width=40):
    """A picture and its quarters, of odd sizes; two latents' heads to one of keys; a table of 3 x 3 places."""
    text = TEXT | {"model_type": "mistral", "hidden_size": text_width, "rms_norm_eps": 1e-3}
    perceiver = {"hidden_size": 40, "resampler_n_latents": 5, "resampler_depth": 2, "resampler_n_heads": 4,
                 "resampler_head_dim": 6, "num_key_value_heads": 2, "rms_norm_eps": 1e-4}  # fmt: skip
    config = hf.Idefics2Config(
        vision_config=TOWER | {"image_size": 42}, text_config=text | {"pad_token_id": 0}, perceiver_config=perceiver
    )
    processor = hf.Idefics2ImageProcessorPil(
        size={"shortest_edge": 30, "longest_edge": 100}, do_image_splitting=text_width == 40
    )
    return hf.Idefics2ForConditionalGeneration(config), Saved(processor, image_seq_len=5), masked, None


GLM = {"depth": 3, "hidden_size": 32, "num_heads": 2, "out_hidden_size": 40, "intermediate_size": 24, "image_size": 70}
GLM_ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 2, 2]}}


def glm4v(kind="Glm4v", **text):
    """A table of 5 x 5, smaller and larger than the pictures' grids; blocks' MLPs as wide as the LLM."""
    text = TEXT | GLM_ROPE | {"pad_token_id": 0} | text
    config = getattr(hf, f"{kind}Config")(vision_config=GLM, text_config=text)
    processor = hf.Glm4vImageProcessorPil(size={"shortest_edge": 2 * 56 * 56, "longest_edge": 2 * 28 * 28 * 90})
    return getattr(hf, f"{kind}ForConditionalGeneration")(config), processor, grid_features, None


def glm_ocr(**values):
    """No table, normed heads, biases."""
    config = hf.GlmOcrConfig(vision_config=GLM | values, text_config=TEXT | GLM_ROPE | {"pad_token_id": 0})
    processor = hf.Glm46VImageProcessorPil(size={"shortest_edge": 2 * 56 * 56, "longest_edge": 2 * 28 * 28 * 90})
    return hf.GlmOcrForConditionalGeneration(config), processor, grid_features, None


def llama4():
    """Tiles of 4 x 4 patches; the class token last, and rotary angles of neighbours, columns first."""
    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 128,
              "image_size": 56, "patch_size": 14, "projector_input_dim": 24, "projector_output_dim": 24,
              "vision_output_dim": 24}  # fmt: skip
    text = TEXT | {"num_local_experts": 2, "intermediate_size_mlp": 32, "head_dim": 10, "pad_token_id": 0}
    values = {"image_processor_type": "Llama4ImageProcessorFast", "size": {"height": 56, "width": 56}, "max_patches": 6}
    module = hf.Llama4ForConditionalGeneration(hf.Llama4Config(vision_config=vision, text_config=text))
    return module, OwnViews(values, stacked), llama4_features, None


def llama4_features(module, inputs):
    adapted = module.get_image_features(inputs["pixel_values"]).last_hidden_state
    return module.multi_modal_projector(adapted.flatten(0, 1))


def kimi_k25():
    """A table of 5 x 5 cells, smaller and larger than the pictures' grids; columns and rows by turns."""
    vision = TOWER | {"pos_emb_height": 5, "pos_emb_width": 5}
    text = TEXT | {"model_type": "deepseek_v3", "moe_intermediate_size": 8, "n_routed_experts": 4, "n_group": 2,
                   "topk_group": 1, "num_experts_per_tok": 2, "q_lora_rank": 8, "kv_lora_rank": 8, "v_head_dim": 8,
                   "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "first_k_dense_replace": 1}  # fmt: skip
    config = hf.Kimi_K25Config(
        vision_config=vision, text_config=text, projection_hidden_size=32, projection_layer_norm_eps=1e-4
    )
    values = {"image_processor_type": "Kimi_K25ImageProcessor", "max_patches": 300}
    return hf.Kimi_K25ForConditionalGeneration(config), OwnViews(values, loose_patches), kimi_features, None


def loose_patches(seen, patch):
    """One picture cut into (n, channels, rows, columns)."""
    [image] = seen
    rows, cols = image.shape[1] // patch, image.shape[2] // patch
    cells = image.unflatten(2, (cols, patch)).unflatten(1, (rows, patch)).permute(1, 3, 0, 2, 4).flatten(0, 1)
    return {"pixel_values": cells, "image_grid_thw": torch.tensor([[1, rows, cols]])}


def kimi_features(module, inputs):
    return torch.cat(module.model.get_image_features(**inputs).pooler_output)


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


def lighton_ocr():
    """Sides in multiples of a patch: rows and columns of patches that fill no block are dropped."""
    config = hf.LightOnOcrConfig(vision_config=PIXTRAL, text_config=TEXT | {"model_type": "qwen3", "head_dim": 10})
    processor = hf.PixtralImageProcessorPil(size={"longest_edge": 140}, patch_size={"height": 14, "width": 14})
    return hf.LightOnOcrForConditionalGeneration(config), processor, whole_blocks, None


def whole_blocks(module, inputs):
    """The reference cannot run where there is no whole block."""
    if min(inputs["image_sizes"][0]) < 28:
        return torch.zeros(0, TEXT["hidden_size"])
    return sized_features(module, inputs)


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
    processor = Saved(tiles, image_seq_length=4)
    return hf.InternVLForConditionalGeneration(config), processor, all_views, None


def paddleocr_vl():
    """A table of 3 x 3, smaller and larger than the pictures' grids, and rotary angles."""
    rope = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 2, 2]}}
    config = hf.PaddleOCRVLConfig(vision_config=TOWER | {"image_size": 42}, text_config=TEXT | {"head_dim": 10, **rope})
    processor = hf.PaddleOCRVLImageProcessorPil(min_pixels=56 * 56, max_pixels=28 * 28 * 90)
    return hf.PaddleOCRVLForConditionalGeneration(config), processor, grid_features, None


def video_llama3(merge=1):
    """SigLIP with angles alone; `merge` is what the image processor says of blocks."""
    config = hf.VideoLlama3Config(vision_config=TOWER, text_config=TEXT | {"model_type": "qwen2"})
    size = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 60}
    processor = hf.VideoLlama3ImageProcessorPil(size=size, patch_size=14, merge_size=merge)
    return hf.VideoLlama3ForConditionalGeneration(config), processor, merged_by_size, None


def merged_by_size(module, inputs):
    return torch.cat(module.get_image_features(**inputs).pooler_output)


def janus():
    """An aligner of three matrices, and an MLP of 1.5 times the dim."""
    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 56, "patch_size": 14,
              "projection_dim": 40, "mlp_ratio": 1.5, "depth": 3}  # fmt: skip
    drawing = {"base_channels": 32, "channel_multiplier": [1, 1], "num_res_blocks": 1, "latent_channels": 8,
               "embed_dim": 8, "num_embeddings": 16, "projection_dim": 40, "image_token_embed_dim": 40}  # fmt: skip
    config = hf.JanusConfig(vision_config=vision, text_config=TEXT | {"model_type": "llama"}, vq_config=drawing)
    processor = Saved(hf.JanusImageProcessorPil(size={"height": 56, "width": 56}), num_image_tokens=16)
    return hf.JanusForConditionalGeneration(config), processor, inner_views, None


def deepseek_vl():
    vision = SIGLIP | {"image_size": 56, "vision_use_head": False}
    config = hf.DeepseekVLConfig(vision_config=vision, text_config=TEXT | {"model_type": "llama"})
    processor = Saved(hf.DeepseekVLImageProcessorPil(size={"height": 56, "width": 56}), num_image_tokens=16)
    return hf.DeepseekVLForConditionalGeneration(config), processor, inner_views, None


def qianfan_ocr():
    """The vendor's names, in transformers' own model."""
    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 40,
              "image_size": [56, 56], "patch_size": [14, 14]}  # fmt: skip
    text = TEXT | {"model_type": "qwen3", "head_dim": 10}
    tiles = hf.GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, max_patches=6, crop_to_patches=True)
    module = hf.QianfanOCRForConditionalGeneration(hf.QianfanOCRConfig(vision_config=vision, text_config=text))
    return module, Saved(tiles, image_seq_length=4), all_views, None


def ovis2():
    """32 visual words, and five that stand for no picture."""
    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
              "image_size": 56, "patch_size": 14, "hidden_stride": 2, "vocab_size": 37}  # fmt: skip
    config = hf.Ovis2Config(vision_config=vision, text_config=TEXT | {"model_type": "qwen2"}, hidden_size=40)
    processor = hf.Ovis2ImageProcessorPil(size={"height": 56, "width": 56}, max_patches=6, crop_to_patches=True)
    return hf.Ovis2ForConditionalGeneration(config), Saved(processor, image_seq_length=4), all_views, None


def ernie4_5_vl():
    text = TEXT | {"moe_intermediate_size": [8, 8], "moe_num_experts": 2, "moe_k": 1, "rms_norm_eps": 1e-3,
                   "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 1]}}  # fmt: skip
    vision = {"depth": 3, "hidden_size": 32, "num_heads": 2, "intermediate_size": 24}
    config = hf.Ernie4_5_VLMoeConfig(vision_config=vision, text_config=text)
    processor = hf.Ernie4_5_VLMoeImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 90})
    return hf.Ernie4_5_VLMoeForConditionalGeneration(config), processor, grid_features, None


def stacked(views, patch):
    return {"pixel_values": torch.stack(views)}


def naflex(views, patch):
    """Patches as (row, column, channel), padded to the longest view with what must not matter."""
    rows = [
        view.unfold(1, patch, patch).unfold(2, patch, patch).permute(1, 2, 3, 4, 0).flatten(2).flatten(0, 1)
        for view in views
    ]
    shapes = torch.tensor([[view.shape[1] // patch, view.shape[2] // patch] for view in views])
    longest = max(map(len, rows))
    padded = [torch.cat([row, torch.full((longest - len(row), row.shape[1]), 0.7)]) for row in rows]
    mask = [torch.arange(longest) < len(row) for row in rows]
    return {
        "pixel_values": torch.stack(padded),
        "spatial_shapes": shapes,
        "pixel_attention_mask": torch.stack(mask).long(),
    }


def naflex_features(module, inputs):
    return torch.cat(module.get_image_features(**inputs).pooler_output)


def masked(module, inputs):
    return torch.cat(module.get_image_features(inputs["pixel_values"], inputs["pixel_attention_mask"]).pooler_output)


def all_views(module, inputs):
    return module.get_image_features(inputs["pixel_values"]).pooler_output.flatten(0, 1)


def inner_views(module, inputs):
    return all_views(module.model, inputs)


def positioned(module, inputs):
    features = module.get_image_features(inputs["pixel_values"], inputs["image_position_ids"])
    return torch.cat(list(features.pooler_output))


def one_view(module, inputs):
    return torch.cat(list(module.get_image_features(inputs["pixel_values"]).pooler_output))


def tiled(module, inputs):
    return torch.cat(list(module.get_image_features(inputs["pixel_values"], inputs["image_sizes"]).pooler_output))


def whole_tower(module, inputs):
    """Prefix and patches of the one view."""
    return module.model.vision_tower(inputs["pixel_values"]).last_hidden_state[0]


BUILDERS = {
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
    "qwen3.5": qwen3_5,
    "qwen2.5-omni": qwen2_5_omni,
    "qwen3-omni": qwen3_omni,
    "exaone4.5": exaone4_5,
    "llava": llava,
    "llava-layers": llava_layers,
    "llava-siglip": llava_siglip,
    "vip-llava": vip_llava,
    "video-llava": video_llava,
    "llava-next-video": llava_next_video,
    "granite-vision": granite_vision,
    "llava-next": llava_next,
    "llava-onevision": llava_onevision,
    "idefics3": idefics3,
    "idefics3-buckets": idefics3_buckets,
    "smolvlm": smolvlm,
    "gemma3": gemma3,
    "paligemma": paligemma,
    "pi0": pi0,
    "shieldgemma2": shieldgemma2,
    "aya-vision": aya_vision,
    "aya-vision-layer": partial(aya_vision, vision_feature_layer=1),
    "cohere2-vision": cohere2_vision,
    "lfm2-vl": lfm2_vl,
    "lfm2-vl-bare": partial(lfm2_vl, projector_use_layernorm=False, projector_bias=False),
    "idefics2": idefics2,
    "idefics2-narrow": partial(idefics2, text_width=24),
    "gemma4": gemma4,
    "gemma4-plain": gemma4_plain,
    "internvl": partial(internvl, attention_bias=True),
    "internvl-6b": partial(internvl, norm_type="rms_norm", use_qk_norm=True),
    "internvl-normed": partial(internvl, use_mean_pooling=False, use_mask_token=True, image_size=[84, 84]),
    "paddleocr-vl": paddleocr_vl,
    "videollama3": video_llama3,
    "videollama3-merged": partial(video_llama3, merge=2),
    "janus": janus,
    "deepseek-vl": deepseek_vl,
    "qianfan-ocr": qianfan_ocr,
    "ovis2": ovis2,
    "ernie-4.5-vl": ernie4_5_vl,
    "glm-4v": glm4v,
    "glm-4v-moe": partial(glm4v, "Glm4vMoe", n_routed_experts=2, moe_intermediate_size=8, num_experts_per_tok=1),
    "glm-ocr": glm_ocr,
    "glm-ocr-bare": partial(glm_ocr, attention_bias=False),
    "llama4": llama4,
    "kimi-k2.5": kimi_k25,
    "pixtral": pixtral,
    "pixtral-layers": partial(pixtral, vision_feature_layer=[1, -2], multimodal_projector_bias=False),
    "mistral3": mistral3,
    "lighton-ocr": lighton_ocr,
    "mistral3-bias": partial(mistral3, multimodal_projector_bias=True, vision_feature_layer=-2),
}

# Their processors exist only with torchvision, see `OwnViews`.
WITHOUT_PIL = ("llama4", "kimi-k2.5", "pi0", "cohere2-vision", "lfm2-vl", "lfm2-vl-bare")


@cache
def vlm_twin(name) -> VlmTwin:
    module, processor, features, patches = BUILDERS[name]()
    redraw(module, seed=len(name))
    folder = room(f"vlm-{name}")
    module.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"]
    return VlmTwin(name, str(folder), module, processor, features, patches)
