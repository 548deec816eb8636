"""Writes `data/timm/*.safetensors`: what small models of timm make of small pictures; see `timm_goldens.py`.

Run it where timm 1.0.31 is installed: `PYTHONPATH=tests python tests/make_timm_goldens.py [NAME ...]`, for all entries
or for those named. Each entry is one file.
"""

import json
import sys
from dataclasses import dataclass, field

import numpy as np
import timm
import torch
from safetensors.numpy import save_file
from timm_goldens import FOLDER, pixels, weight

SEED = 20_260
# What of `pretrained_cfg` tells how pictures are prepared.
PREPROCESSING = ("interpolation", "crop_pct", "crop_mode", "mean", "std", "fixed_input_size")


@dataclass(frozen=True)
class Entry:
    """A timm architecture made small by `arguments`, `img_size` among them; `sizes` are (height, width)."""

    architecture: str
    arguments: dict = field(default_factory=dict)
    sizes: tuple = ((40, 24),)


TINY = {"embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 0}
SMALL = TINY | {"img_size": 48}
HEADED = TINY | {"num_classes": 24}
FOUR = ((56, 56), (28, 70))  # of a table of 4 x 4 patches of 14 pixels: its own grid, and another

ENTRIES = {
    "eva-l": Entry("eva_large_patch14_196", TINY | {"img_size": 56}, FOUR),
    "eva-g": Entry("eva_giant_patch14_224", TINY | {"img_size": 56}, FOUR),
    "eva02-ti": Entry("eva02_tiny_patch14_224", TINY | {"img_size": 56}, FOUR),
    "eva02-b": Entry("eva02_base_patch14_224", TINY | {"img_size": 56}, FOUR),
    "eva02-clip": Entry("eva02_large_patch14_clip_224", TINY | {"img_size": 56, "num_classes": 24}, FOUR),
    "eva02-clip-e": Entry("eva02_enormous_patch14_clip_224", TINY | {"img_size": 56, "num_classes": 24}, FOUR),
    "deit3": Entry("deit3_small_patch16_224", TINY | {"img_size": 64}, ((64, 64), (48, 80))),
    # Sizes are whole patches: of what is left over, convolutions with SAME padding would make further cells.
    "hybrid-r26": Entry(
        "vit_small_r26_s32_224", TINY | {"img_size": 96}, ((96, 96), (64, 96), (32, 128)),
    ),
    "hybrid-r50": Entry("vit_base_r50_s16_384", TINY | {"img_size": 64}, ((64, 64), (48, 80), (16, 96))),
    "hybrid-stem": Entry("vit_tiny_r_s16_p8_224", TINY | {"img_size": 64}, ((64, 64), (32, 96))),
    # Rotary coordinates are stretched to `ref_feat_shape`, which is otherwise the architecture's.
    "pe-core": Entry("vit_pe_core_base_patch16_224", HEADED | {"img_size": 64, "ref_feat_shape": (4, 4)}, ((64, 64), (32, 80))),
    "pe-core-g": Entry("vit_pe_core_gigantic_patch14_448", HEADED | {"img_size": 56}, ((56, 56), (42, 84))),
    "pe-lang": Entry("vit_pe_lang_large_patch14_448", TINY | {"img_size": 56}, ((56, 56), (28, 70))),
    "pe-lang-g": Entry("vit_pe_lang_gigantic_patch14_448", TINY | {"img_size": 42}, ((42, 42), (28, 56))),
    "pe-spatial": Entry("vit_pe_spatial_base_patch16_512", TINY | {"img_size": 64}, ((64, 64), (48, 96))),
    "vit": Entry("vit_base_patch16_224", SMALL | {"num_classes": 5}, ((48, 48), (32, 80))),
    "vit-mean": Entry("vit_base_patch16_224", SMALL | {"global_pool": "avg"}, ((48, 48),)),
    "deit": Entry("deit_base_distilled_patch16_224", SMALL | {"num_classes": 5}, ((48, 48), (32, 64))),
    "clip": Entry("vit_base_patch16_clip_quickgelu_224", SMALL | {"num_classes": 24}, ((48, 48), (32, 64))),
    "clip-classifier": Entry("vit_base_patch16_clip_224", SMALL | {"num_classes": 5}, ((48, 48),)),
    "siglip": Entry("vit_base_patch16_siglip_224", SMALL, ((48, 48), (32, 64))),
    "siglip-tanh": Entry("vit_base_patch32_siglip_256", SMALL | {"img_size": 64}, ((64, 64),)),
    "siglip-gap": Entry("vit_base_patch16_siglip_gap_224", SMALL, ((48, 48),)),
    # As wide as the family makes it: two thirds of 128, rounded up to a multiple of 8, twice.
    "dinov2": Entry("vit_giant_patch14_dinov2", SMALL | {"img_size": 42, "mlp_ratio": 5.5}, ((42, 42), (28, 70))),
    "dinov2-reg": Entry("vit_base_patch14_reg4_dinov2", SMALL | {"img_size": 42}, ((42, 42), (28, 70))),
    "dinov3": Entry("vit_small_patch16_dinov3_qkvb", SMALL, ((48, 48), (32, 64))),
    "dinov3-gated": Entry("vit_huge_plus_patch16_dinov3", SMALL, ((32, 64),)),
    "intern-vit": Entry("vit_intern300m_patch14_448", SMALL | {"img_size": 42}, ((42, 42), (28, 70))),
    "aimv2": Entry("aimv2_large_patch14_224", SMALL | {"img_size": 42}, ((42, 42), (28, 70))),
}  # fmt: skip


def build(entry):
    """The module, with every tensor redrawn, and the config that timm would write beside a full-size model."""
    # Any size may come in; the position table is then resized by timm's own rule.
    module = timm.create_model(entry.architecture, **entry.arguments, dynamic_img_size=True).eval()
    shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    module.load_state_dict({name: torch.from_numpy(weight(SEED, name, tuple(shape))) for name, shape in shapes.items()})
    config = {
        "architecture": entry.architecture, "num_classes": module.num_classes, "num_features": module.num_features,
        "global_pool": module.global_pool, "model_args": {"img_size": entry.arguments["img_size"]},
        "pretrained_cfg": {name: module.pretrained_cfg[name] for name in PREPROCESSING}
        | {"input_size": [3, *module.patch_embed.img_size]},
    }  # fmt: skip
    return module, config, shapes


@torch.no_grad()
def run(module, height, width):
    """Name -> array: the hidden states of every block, the tokens, what the pool and the head make of them."""
    states = []
    hooks = [module.blocks[0].register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))]
    hooks += [block.register_forward_hook(lambda _, inputs, output: states.append(output)) for block in module.blocks]
    tokens = module.forward_features(torch.from_numpy(pixels(SEED, height, width))[None])
    for hook in hooks:
        hook.remove()
    outputs = {str(number): state for number, state in enumerate(states)} | {"tokens": tokens}
    if module.global_pool:
        outputs["pooled"] = module.forward_head(tokens, pre_logits=True)
    if module.num_classes:
        outputs["head"] = module.forward_head(tokens)
    return {name: np.ascontiguousarray(tensor[0].numpy()) for name, tensor in outputs.items()}


def main():
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or ENTRIES:
        entry = ENTRIES[name]
        module, config, shapes = build(entry)
        arrays = {
            f"{height}x{width} {kind}": array
            for height, width in entry.sizes
            for kind, array in run(module, height, width).items()
        }
        header = {"timm": timm.__version__, "torch": torch.__version__, "seed": str(SEED),
                  "arguments": json.dumps(entry.arguments), "config": json.dumps(config),
                  "shapes": json.dumps(shapes)}  # fmt: skip
        save_file(arrays, FOLDER / f"{name}.safetensors", metadata=header)
        print(f"{name}: {len(arrays)} arrays, {(FOLDER / f'{name}.safetensors').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
