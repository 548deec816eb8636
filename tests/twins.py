"""Tiny twins: small models of transformers with redrawn parameters, saved in the published format, and read back here.

All parameters are redrawn (standard deviation 0.3, norms around 1), so that zero biases and unit scales hide nothing.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import transformers as hf
from rooms import room

SMALL = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 80}
GATED = {"hidden_act": "silu", "use_gated_mlp": True}
DINO = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 70, "patch_size": 14}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
VIEW = {"image_size": 32, "patch_size": 8}
DECODER = {"decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2,
           "decoder_intermediate_size": 24}  # fmt: skip
SEGMENTS = {"extract_layers": [0, 1], "reduce_dim": 16, "decoder_intermediate_size": 24}
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


@dataclass(frozen=True)
class Twin:
    """A saved model of the reference: its family, folder, module and the PIL processor that goes with it."""

    name: str
    folder: str
    module: torch.nn.Module
    processor: object
    own: int
    patch: int

    def forward(self, pixels):
        """Tokens (B, T, D) and the pooled output of the reference for (B, 3, H, W) pixels of any size."""
        return _forward(self.module, pixels, self.patch)


def redraw(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3 + centre)


def _vision(config_class, model_class, **values):
    return model_class(config_class(**values))


def _build():
    """Family -> (module, processor, own size, patch)."""
    contrastive = {"vocab_size": 40, **SMALL}
    vit = hf.ViTImageProcessorPil(size={"height": 32, "width": 32})
    imagenet = hf.ViTImageProcessorPil(
        size={"height": 32, "width": 32}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    )
    little_text = {"vocab_size": 40, **TINY, "bos_token_id": 1, "eos_token_id": 2}
    siglip = hf.SiglipImageProcessorPil(size={"height": 32, "width": 32})
    clip = hf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    bit = hf.BitImageProcessorPil(size={"shortest_edge": 80}, crop_size={"height": 70, "width": 70})
    square_bit = hf.BitImageProcessorPil(size={"height": 32, "width": 32}, do_center_crop=False)
    deit = hf.DeiTImageProcessorPil(size={"height": 40, "width": 40}, crop_size={"height": 32, "width": 32})
    naflex = hf.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=36)
    return {
        "vit": (hf.ViTModel(hf.ViTConfig(**VIEW, **SMALL)), vit, 32, 8),
        "vit-classifier": (hf.ViTForImageClassification(hf.ViTConfig(**VIEW, **SMALL)), vit, 32, 8),
        "vit-no-bias": (
            hf.ViTModel(hf.ViTConfig(**VIEW, **SMALL, qkv_bias=False), add_pooling_layer=False), vit, 32, 8,
        ),
        "mae": (
            hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**VIEW, **TINY, **DECODER, mask_ratio=0.0)), imagenet, 32, 8,
        ),
        "ijepa": (hf.IJepaForImageClassification(hf.IJepaConfig(**VIEW, **TINY)), imagenet, 32, 8),
        "msn": (hf.ViTMSNForImageClassification(hf.ViTMSNConfig(**VIEW, **TINY)), imagenet, 32, 8),
        "mlcd": (hf.MLCDVisionModel(hf.MLCDVisionConfig(**VIEW, **TINY)), clip, 32, 8),
        "pixio": (hf.PixioModel(hf.PixioConfig(**VIEW, **TINY, n_cls_tokens=3)), square_bit, 32, 8),
        "deit": (hf.DeiTModel(hf.DeiTConfig(**VIEW, **SMALL)), deit, 32, 8),
        "deit-teacher": (hf.DeiTForImageClassificationWithTeacher(hf.DeiTConfig(**VIEW, **SMALL)), deit, 32, 8),
        "clip-tower": (hf.CLIPVisionModel(hf.CLIPVisionConfig(**VIEW, **SMALL)), clip, 32, 8),
        "clip-projected": (
            hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig(**VIEW, **SMALL, projection_dim=24)), clip, 32, 8,
        ),
        "clip-gelu": (
            hf.CLIPModel(hf.CLIPConfig(vision_config={**VIEW, **SMALL, "hidden_act": "gelu"}, text_config=contrastive, projection_dim=20)),
            clip, 32, 8,
        ),
        "metaclip2": (
            hf.MetaClip2Model(hf.MetaClip2Config(vision_config={**VIEW, **TINY, "hidden_act": "gelu"}, text_config=little_text, projection_dim=20)),
            clip, 32, 8,
        ),
        "chineseclip": (
            hf.ChineseCLIPModel(hf.ChineseCLIPConfig(vision_config={**VIEW, **TINY}, text_config=little_text, projection_dim=20)),
            hf.ChineseCLIPImageProcessorPil(size={"height": 32, "width": 32}, do_center_crop=False), 32, 8,
        ),
        "altclip": (
            hf.AltCLIPModel(hf.AltCLIPConfig(vision_config={**VIEW, **TINY}, text_config={**little_text, "project_dim": 20}, projection_dim=20)),
            clip, 32, 8,
        ),
        "clipseg": (
            hf.CLIPSegForImageSegmentation(hf.CLIPSegConfig(vision_config={**VIEW, **TINY}, text_config=little_text, projection_dim=20, **SEGMENTS)),
            imagenet, 32, 8,
        ),
        "siglip": (
            hf.SiglipModel(hf.SiglipConfig(vision_config={**VIEW, **SMALL}, text_config=contrastive)), siglip, 32, 8,
        ),
        "siglip-remainder": (
            hf.SiglipVisionModel(hf.SiglipVisionConfig(image_size=30, patch_size=8, **SMALL)),
            hf.SiglipImageProcessorPil(size={"height": 30, "width": 30}), 30, 8,
        ),
        "siglip-no-head": (
            hf.SiglipVisionModel(hf.SiglipVisionConfig(**VIEW, **SMALL, vision_use_head=False)), siglip, 32, 8,
        ),
        "naflex": (
            hf.Siglip2Model(hf.Siglip2Config(vision_config={"patch_size": 8, "num_patches": 16, **SMALL}, text_config=contrastive)),
            naflex, 48, 8,
        ),
        "dinov2": (hf.Dinov2Model(hf.Dinov2Config(**DINO)), bit, 70, 14),
        "dinov2-gated": (hf.Dinov2Model(hf.Dinov2Config(**DINO, use_swiglu_ffn=True)), bit, 70, 14),
        "dinov2-registers": (
            hf.Dinov2WithRegistersModel(hf.Dinov2WithRegistersConfig(**DINO, num_register_tokens=3)), bit, 70, 14,
        ),
        "dinov2-classifier": (
            hf.Dinov2WithRegistersForImageClassification(hf.Dinov2WithRegistersConfig(**DINO)), bit, 70, 14,
        ),
        "intern-vit": (
            hf.InternVLVisionModel(hf.InternVLVisionConfig(
                **SMALL, image_size=[32, 32], patch_size=[8, 8], attention_bias=True)),
            clip, 32, 8,
        ),
        # The processors' class exists only with torchvision; the vendor's values are those of ViT's.
        "dinov3-registers": (
            hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**VIEW, **SMALL, num_register_tokens=4)), vit, 32, 8,
        ),
        "dinov3-gated": (
            hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**VIEW, **SMALL, **GATED, num_register_tokens=4)), vit, 32, 8,
        ),
        "dinov3-no-bias": (
            hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**VIEW, **SMALL, **GATED, query_bias=False, value_bias=False)),
            vit, 32, 8,
        ),
        "aimv2": (hf.Aimv2VisionModel(hf.Aimv2VisionConfig(**VIEW, **SMALL, use_head=False)), clip, 32, 8),
        "aimv2-native": (
            hf.Aimv2VisionModel(hf.Aimv2VisionConfig(**VIEW, **SMALL, use_head=True, is_native=True)), clip, 32, 8,
        ),
        "aimv2-lit": (
            hf.Aimv2Model(hf.Aimv2Config(vision_config={**VIEW, **SMALL}, text_config=contrastive, projection_dim=20)),
            clip, 32, 8,
        ),
    }  # fmt: skip


NAMES = (
    "vit", "vit-classifier", "vit-no-bias", "mae", "ijepa", "msn", "mlcd", "pixio", "deit", "deit-teacher",
    "clip-tower", "clip-projected", "clip-gelu", "metaclip2", "chineseclip", "altclip", "clipseg", "siglip",
    "siglip-remainder", "siglip-no-head", "naflex", "dinov2", "dinov2-gated", "dinov2-registers",
    "dinov2-classifier", "intern-vit", "dinov3-registers", "dinov3-gated", "dinov3-no-bias", "aimv2", "aimv2-native",
    "aimv2-lit",
)  # fmt: skip


@cache
def _all():
    built = _build()
    assert tuple(built) == NAMES
    return built


@cache
def twin(name) -> Twin:
    module, processor, own, patch = _all()[name]
    redraw(module, seed=NAMES.index(name))
    folder = room(f"twin-{name}")
    module.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return Twin(name, str(folder), module, processor, own, patch)


def config_of(folder):
    return json.loads((Path(folder) / "config.json").read_text())


def tower_of(module):
    """The vision tower inside a classifier or a contrastive model."""
    for name in ("vision_model", "vit", "deit", "dinov2_with_registers", "ijepa"):
        if hasattr(module, name):
            return getattr(module, name)
    return tower_of(module.clip) if hasattr(module, "clip") else module


def arguments(tower, pixels):
    """What the reference needs besides pixels to take any size; MAE's masking draws numbers, which keep raster order."""
    always = hf.MLCDVisionModel | hf.PixioModel | hf.InternVLVisionModel
    if "dinov" in type(tower).__name__.lower() or isinstance(tower, always):
        return {}
    if isinstance(tower, hf.ViTMAEModel):
        side = tower.config.patch_size
        order = torch.arange(pixels.shape[2] // side * (pixels.shape[3] // side))
        return {"interpolate_pos_encoding": True, "noise": order.expand(len(pixels), -1).float()}
    return {"interpolate_pos_encoding": True}


@torch.no_grad()
def _forward(module, pixels, patch):
    tower = tower_of(module)
    if isinstance(tower, hf.Siglip2VisionModel):
        out = _naflex(tower, pixels, patch)
    elif isinstance(tower, hf.Aimv2VisionModel):
        out = _aimv2(tower, pixels, patch)
    else:
        out = tower(pixels, **arguments(tower, pixels))
    tokens, pooled = out.last_hidden_state, getattr(out, "pooler_output", None)
    if isinstance(tower, hf.IJepaModel):
        pooled = tokens.mean(1)  # what its classifier reads
    elif isinstance(tower, hf.ViTModel | hf.DeiTModel | hf.ViTMSNModel):
        pooled = tokens[:, 0]  # the tanh pooler is left out on purpose
    holder = getattr(module, "clip", module)
    if hasattr(holder, "visual_projection"):
        pooled = holder.visual_projection(pooled)
    return tokens, pooled


def _naflex(tower, pixels, patch):
    """Patches as the reference's own processor cuts them: (row, column, channel) inside a patch."""
    batch, _, height, width = pixels.shape
    rows, cols = height // patch, width // patch
    cells = pixels[:, :, : rows * patch, : cols * patch].reshape(batch, 3, rows, patch, cols, patch)
    cells = cells.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * cols, -1)
    mask = torch.ones(batch, rows * cols, dtype=torch.int32)
    return tower(cells, mask, torch.tensor([[rows, cols]] * batch))


def _aimv2(tower, pixels, patch):
    """The reference's table fits its own size alone; for others timm resizes it, bicubic with antialias."""
    if tower.config.is_native:
        return tower(pixels)
    side, rows, cols = tower.config.image_size // patch, pixels.shape[2] // patch, pixels.shape[3] // patch

    def resized(module, ids, table):
        image = table.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        image = torch.nn.functional.interpolate(image, size=(rows, cols), mode="bicubic", antialias=True)
        return image.permute(0, 2, 3, 1).reshape(1, rows * cols, -1)

    handle = tower.embeddings.position_embedding.register_forward_hook(resized)
    try:
        return tower(pixels)
    finally:
        handle.remove()


def tokens_of(result):
    """Prefix and patches of one of our results, as the reference orders them."""
    return torch.cat([*result.prefix.values(), result.patches])


def close(got, wanted, tolerance=1e-4):
    """DESIGN's tolerance: |difference| <= 1e-4 x max(1, largest |reference|)."""
    assert got.shape == wanted.shape, (got.shape, wanted.shape)
    if not wanted.numel():
        return
    worst = (got - wanted).abs().max().item()
    limit = tolerance * max(1.0, wanted.abs().max().item())
    assert worst <= limit, f"differs by {worst:.3g}, allowed {limit:.3g}"
