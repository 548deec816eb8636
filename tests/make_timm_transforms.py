"""Writes what timm makes of pictures (`data/timm/transforms.npz`) and the values its built-in models are published with.

Run it where timm 1.0.31 and torchvision 0.28.0 are installed: `PYTHONPATH=tests python tests/make_timm_transforms.py`.
Pixels are those before they are normalised, (3, height, width) bytes; a key is picture|number of the case.
"""

import json

import numpy as np
import timm
from timm.data import create_transform
from timm_transforms import BUILT_IN, CASES, PIXELS, PREPROCESSING, VALUES, pictures


def transformed():
    for number, (share, mode, interpolation, height, width) in enumerate(CASES):
        transform = create_transform((3, height, width), crop_pct=share, crop_mode=mode, interpolation=interpolation,
                                     normalize=False)  # fmt: skip
        for name, picture in pictures().items():
            yield f"{name}|{number}", transform(picture).numpy()


def published():
    for name in timm.list_pretrained():
        if name.startswith(BUILT_IN):
            values = timm.get_pretrained_cfg(name)
            yield values.hf_hub_id, {word: getattr(values, word) for word in PREPROCESSING}


if __name__ == "__main__":
    np.savez_compressed(PIXELS, **dict(transformed()))
    lines = (f"{json.dumps(name)}: {json.dumps(values)}" for name, values in sorted(published()))
    VALUES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
