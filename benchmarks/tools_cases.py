"""One tool on one model, in a process of its own: `python tools_cases.py macs|bytes TOOL MODEL ...` prints one number.

Models are built from their configs with weights of zeros: what is compared follows from shapes alone. Each tool is
called as its documentation says, and its own unit made multiply-adds. A tool fails with the last line of its error.
"""

import contextlib
import io
import sys
import warnings

import torch
import transformers as hf
from torch import Tensor, nn
from transformers.initialization import no_init_weights

# Multiply-adds of one picture, counted by hand from shapes; torch's counter on eager attention gives the same.
TRUTHS = {
    "ViT-B/16": 17_563_828_224,
    "CLIP L/14 @336": 190_959_894_528,
    "DINOv2-g": 299_390_066_688,
    "SO400M @384": 335_173_224_960,
    "NaFlex 1024": 108_119_851_008,
    "Qwen2.5-VL": 3_329_255_178_240,
}
# What vistoken plans for the same: its name of the model and what is asked.
PLANS = {
    "ViT-B/16": ("vit-b16-224", {"head": 1000}),
    "CLIP L/14 @336": ("clip-l14-336", {}),
    "DINOv2-g": ("dinov2-g14", {"input": "224x224"}),
    "SO400M @384": ("siglip-so400m14-384", {}),
    "NaFlex 1024": ("siglip2-b16-naflex", {"width": 1024, "height": 1024, "max_num_patches": 1024}),
    "Qwen2.5-VL": ("qwen2.5-vl-7b", {"width": 1288, "height": 728}),
}


class Fed(nn.Module):
    """A model with all inputs but the pixels: tools give one tensor, and want tensors back."""

    def __init__(self, module: nn.Module, **inputs: Tensor) -> None:
        super().__init__()
        self.module, self.inputs = module, inputs

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        out = self.module(pixels, **self.inputs)
        return tuple(part for part in out.to_tuple() if isinstance(part, Tensor))


def build(name: str, attention: str, device: str) -> tuple[nn.Module, Tensor]:
    """The reference's model, and pixels for it."""
    with torch.device(device), no_init_weights():
        module, shape, inputs = _built(name, attention)
    module.eval().requires_grad_(False)
    if device == "cpu":
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.zero_()
    return Fed(module, **inputs), torch.zeros(shape, device=device)


def _built(name: str, attention: str) -> tuple[nn.Module, tuple[int, ...], dict[str, Tensor]]:
    kind = {"attn_implementation": attention}
    match name:
        case "ViT-B/16":
            return hf.ViTForImageClassification(hf.ViTConfig(num_labels=1000, **kind)), (1, 3, 224, 224), {}
        case "CLIP L/14 @336":
            config = hf.CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, image_size=336,
                                         patch_size=14, num_attention_heads=16, projection_dim=768, **kind)  # fmt: skip
            return hf.CLIPVisionModelWithProjection(config), (1, 3, 336, 336), {}
        case "DINOv2-g":
            config = hf.Dinov2Config(hidden_size=1536, num_hidden_layers=40, num_attention_heads=24, image_size=518,
                                     use_swiglu_ffn=True, **kind)  # fmt: skip
            return hf.Dinov2Model(config), (1, 3, 224, 224), {}
        case "SO400M @384":
            config = hf.SiglipVisionConfig(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27,
                                           num_attention_heads=16, image_size=384, patch_size=14, **kind)  # fmt: skip
            return hf.SiglipVisionModel(config), (1, 3, 384, 384), {}
        case "NaFlex 1024":
            inputs = {"pixel_attention_mask": torch.ones(1, 1024, dtype=torch.int32),
                      "spatial_shapes": torch.tensor([[32, 32]], device="cpu")}  # fmt: skip
            return hf.Siglip2VisionModel(hf.Siglip2VisionConfig(**kind)), (1, 1024, 768), inputs
    return _qwen(kind)


def _qwen(kind: dict[str, str]) -> tuple[nn.Module, tuple[int, ...], dict[str, Tensor]]:
    """The code reads the grid, so this is real on every device."""
    from transformers.models.qwen2_5_vl import configuration_qwen2_5_vl, modeling_qwen2_5_vl

    sizes = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 3584}
    config = configuration_qwen2_5_vl.Qwen2_5_VLVisionConfig(**sizes, **kind)
    places = torch.zeros(52 * 92, 2, dtype=torch.int64)
    inputs = {"grid_thw": torch.tensor([[1, 52, 92]], device="cpu"), "position_ids": places}
    return modeling_qwen2_5_vl.Qwen2_5_VisionTransformerPretrainedModel(config), (52 * 92, 1176), inputs


# ---------------------------------------------------------------- multiply-adds


def macs(tool: str, name: str, attention: str, device: str) -> int:
    if tool == "vistoken":
        import vistoken

        model, options = PLANS[name]
        return vistoken.plan(model, **options).macs.total
    module, pixels = build(name, attention, device)
    with torch.no_grad():
        return int(COUNTERS[tool](module, pixels))


def by_torch(module: nn.Module, pixels: Tensor) -> int:
    """FLOPs, two a multiply-add."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(pixels)
    return counter.get_total_flops() // 2


def by_fvcore(module: nn.Module, pixels: Tensor) -> int:
    """What it calls flops is one a multiply-add."""
    from fvcore.nn import FlopCountAnalysis

    return FlopCountAnalysis(module, (pixels,)).unsupported_ops_warnings(False).total()


def by_calflops(module: nn.Module, pixels: Tensor) -> int:
    from calflops import calculate_flops

    _, macs, _ = calculate_flops(module, args=[pixels], print_results=False, output_as_string=False)
    return macs


def by_ptflops(backend: str, module: nn.Module, pixels: Tensor) -> int:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        module, (1,), as_strings=False, print_per_layer_stat=False, backend=backend,
        input_constructor=lambda _: {"pixels": pixels},
    )  # fmt: skip
    if macs is None:
        raise RuntimeError("it gives no number")
    return macs


def by_thop(module: nn.Module, pixels: Tensor) -> int:
    from thop import profile

    return profile(module, inputs=(pixels,), verbose=False)[0]


def by_torchinfo(module: nn.Module, pixels: Tensor) -> int:
    from torchinfo import summary

    return summary(module, input_data=[pixels], verbose=0, device=pixels.device).total_mult_adds


COUNTERS = {
    "FlopCounterMode": by_torch,
    "fvcore": by_fvcore,
    "calflops": by_calflops,
    "ptflops, aten": lambda module, pixels: by_ptflops("aten", module, pixels),
    "ptflops, pytorch": lambda module, pixels: by_ptflops("pytorch", module, pixels),
    "ultralytics-thop": by_thop,
    "torchinfo": by_torchinfo,
}


# ---------------------------------------------------------------- bytes of ViT-B/16 in float32, fused attention


def peak(tool: str, mode: str, batch: int) -> int:
    training = mode == "training"
    if tool == "measured":
        return _measured(training, batch)
    if tool == "vistoken":
        import vistoken

        memory = vistoken.plan("vit-b16-224", head=1000, batch=batch).memory
        return (memory.training("transformers") if training else memory.inference("transformers")).total
    module, pixels = build("ViT-B/16", "sdpa", "meta")
    weights = sum(tensor.numel() * tensor.element_size() for tensor in module.parameters())
    if tool == "weights x 1.2":
        if training:
            raise RuntimeError("a rule for inference")
        return int(1.2 * weights)
    if tool == "accelerate":
        from accelerate.commands.estimate import estimate_training_usage
        from accelerate.utils import calculate_maximum_sizes

        total, _ = calculate_maximum_sizes(module)
        return int(max(estimate_training_usage(total, "float32").values()) if training else total)
    return _torchinfo_bytes(module, pixels.expand(batch, -1, -1, -1))


def _torchinfo_bytes(module: nn.Module, pixels: Tensor) -> int:
    """What it prints as estimated total size; it knows no modes."""
    from torchinfo import summary

    found = summary(module, input_data=[pixels], verbose=0, device="meta")
    return found.total_input + found.total_output_bytes + found.total_param_bytes


def _measured(training: bool, batch: int) -> int:
    """Live tensors, followed storage by storage; in training of the second step, with the optimizer's states."""
    from storage import StorageTracker, shapes_only

    with shapes_only(), no_init_weights():
        module, _, _ = _built("ViT-B/16", "sdpa")
        module.train(training)
        pixels = torch.empty(batch, 3, 224, 224)
        states = [torch.empty_like(p) for p in module.parameters() for _ in range(2 * training)]
        with StorageTracker([*module.parameters(), *module.buffers(), *states, pixels]) as tracker:
            start = tracker.live
            with torch.set_grad_enabled(training):
                out = module(pixels)[0]
            if training:
                out.sum().backward()
        weights = sum(p.numel() * p.element_size() for p in module.parameters())
    return max(tracker.peak, start + weights) if training else tracker.peak


def main() -> None:
    kind, *arguments = sys.argv[1:]
    warnings.simplefilter("ignore")
    hf.logging.set_verbosity_error()
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(io.StringIO()):  # tools print
        found = macs(*arguments) if kind == "macs" else peak(arguments[0], arguments[1], int(arguments[2]))
    print(found)


if __name__ == "__main__":
    main()
