"""Golden outputs of small models of timm, which the tests do not install: reading them, and drawing their weights.

A file of `data/timm/` holds what a model makes of a few pictures, and in its header the architecture, its arguments and
the shapes of its tensors. Weights and pixels are not stored: they are drawn anew, each from a seed of its own name, by
the generator whose stream numpy promises never to change (`RandomState`).
"""

import json
import math
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import safe_open

FOLDER = Path(__file__).parent / "data" / "timm"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.safetensors")))


def drawn(seed, name, shape):
    """Standard normal numbers that belong to a name: (shape), float32."""
    generator = np.random.RandomState(zlib.crc32(f"{seed} {name}".encode()))
    return generator.standard_normal(shape).astype(np.float32)


def weight(seed, name, shape):
    """Matrices keep the variance; vectors have a standard deviation of 0.3, norms and scales around 1."""
    scale = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 and shape[0] > 1 else 0.3
    one = ("norm" in name and name.endswith("weight")) or name.endswith("gamma")
    return drawn(seed, name, shape) * np.float32(scale) + np.float32(one)


def pixels(seed, height, width):
    """(3, height, width), resized and normalised as far as the model knows."""
    return drawn(seed, f"pixels {height}x{width}", (3, height, width))


@dataclass(frozen=True)
class Golden:
    """What one model of timm answered.

    Attributes:
        arguments: what made the architecture small. No published `config.json` has such, so none is read from there: a
            test tells its family the small network under the architecture's name, see `small`.
        config: what timm writes into `config.json`: architecture, `pretrained_cfg` and so on.
        shapes: of the tensors of its file, by their names.
        outputs: by size (height, width): hidden states as "0" to the number of blocks (tokens, dim), "tokens" after the
            last norm, "pooled" and, where there is a head, "head".
    """

    name: str
    seed: int
    arguments: dict
    config: dict
    shapes: dict
    outputs: dict

    def small(self, monkeypatch, family, **values):
        """For one test, `family` takes the architecture for the small one; `values` are its config's."""
        networks, name = family.timm.architectures, self.config["architecture"]
        monkeypatch.setitem(networks, name, {**networks[name], **values})

    def tensors(self):
        """The tensors of its `model.safetensors`."""
        return {name: weight(self.seed, name, tuple(shape)) for name, shape in self.shapes.items()}

    def save(self, folder):
        """The folder that timm would write."""
        from safetensors.numpy import save_file

        Path(folder, "config.json").write_text(json.dumps(self.config))
        save_file(self.tensors(), Path(folder, "model.safetensors"))
        return str(folder)


@cache
def golden(name):
    outputs = {}
    with safe_open(FOLDER / f"{name}.safetensors", framework="np") as file:
        header = file.metadata()
        for key in file.keys():  # noqa: SIM118  # not a dictionary
            size, _, kind = key.partition(" ")
            height, width = map(int, size.split("x"))
            outputs.setdefault((height, width), {})[kind] = file.get_tensor(key)
    words = (json.loads(header[word]) for word in ("arguments", "config", "shapes"))
    return Golden(name, int(header["seed"]), *words, outputs)
