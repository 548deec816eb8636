"""Writes `data/timm_parameters.json`: how many parameters timm's full-size networks have, of all that are read here.

Run it where timm 1.0.31 is installed: `PYTHONPATH=src python tests/make_timm_parameters.py`.
"""

import json
from pathlib import Path

import timm
import torch

from vistoken import registry

FILE = Path(__file__).parent / "data" / "timm_parameters.json"

# The families' words for the width of CLIP's embedding.
PROJECTIONS = ("projection_dim", "projection", "output_dim")


def described(name, classes):
    """On the meta device, with CLIP's projection for a head and otherwise none."""
    with torch.device("meta"):
        module = timm.create_model(name, num_classes=classes)
    return {"parameters": sum(map(torch.numel, module.parameters())), "num_classes": classes,
            "global_pool": module.global_pool, "input_size": list(module.pretrained_cfg["input_size"])}  # fmt: skip


def main():
    known = set(timm.list_models())
    lines = []
    for family in registry.families():
        for name, values in sorted(family.timm.architectures.items()) if family.timm else ():
            if name not in known:
                raise SystemExit(f"{family.name}: timm {timm.__version__} has no {name}")
            classes = next((values[word] for word in PROJECTIONS if values.get(word)), 0)
            lines.append(f"{json.dumps(name)}: {json.dumps(described(name, classes))}")
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
