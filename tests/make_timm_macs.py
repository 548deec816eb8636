"""Writes `data/timm_macs.json`: multiply-adds of timm's full-size networks, by torch's own counter, of all read here.

Run it where timm 1.0.31 is installed: `PYTHONPATH=src python tests/make_timm_macs.py`; ten minutes. On the meta device, with
attention written out, without a classifier; three pictures of the network's own size and three of another shape.
"""

import json
from pathlib import Path

import timm
import torch
from timm.layers import set_fused_attn
from torch.utils.flop_counter import FlopCounterMode

from vistoken import registry

DATA = Path(__file__).parent / "data"
FILE, PARAMETERS = DATA / "timm_macs.json", DATA / "timm_parameters.json"
BATCH = 3
# Patches of the other picture; sides that hybrids, whose cells are 32 pixels, take too.
ROWS, COLS = 12, 20


def counted(module, height, width):
    """Of `BATCH` pictures: FLOPs of torch's counter are two for each multiply-add."""
    pixels = torch.empty(BATCH, 3, height, width, device="meta")
    with FlopCounterMode(display=False) as counter:
        module(pixels)
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


def described(name, classes):
    """[width, height, multiply-adds] for both sizes."""
    any_size = {} if name.startswith("naflexvit") else {"dynamic_img_size": True}  # those take any as they are
    with torch.device("meta"):
        module = timm.create_model(name, num_classes=classes, **any_size).eval().requires_grad_(False)
    _, height, width = module.pretrained_cfg["input_size"]
    side = (module.embeds if name.startswith("naflexvit") else module.patch_embed).feat_ratio(as_scalar=True)
    # timm refuses what is no whole number of patches, where the size that weights were trained at may be none.
    sizes = ((height // side * side, width // side * side), (ROWS * side, COLS * side))
    return [[width, height, counted(module, height, width)] for height, width in sizes]


def main():
    set_fused_attn(enable=False)
    known = json.loads(PARAMETERS.read_text())
    lines = []
    for name in (name for family in registry.families() if family.timm for name in sorted(family.timm.architectures)):
        lines.append(f"{json.dumps(name)}: {json.dumps(described(name, known[name]['num_classes']))}")
        print(lines[-1], flush=True)
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
