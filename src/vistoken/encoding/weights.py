"""Loading published weights: `model.safetensors`, whole or in shards, strictly.

The headers of all files are matched with the spec first (`matching.py`); then values are read to their places
(`steps.py`, `reading.py`). Pickles are never opened.
"""

from __future__ import annotations

import os
import re
from itertools import groupby

import torch

from vistoken.configs import read_json
from vistoken.encoding.headers import Weights, read_header
from vistoken.encoding.matching import listed, match_weights
from vistoken.encoding.model import VisionEncoder
from vistoken.encoding.reading import open_values
from vistoken.encoding.steps import fill
from vistoken.errors import WeightsError, one_line, shown
from vistoken.files import model_file
from vistoken.weight_names import WeightNames

_SHARD = re.compile(r"[\w.-]+\.safetensors", re.ASCII)
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
OPEN_CLIP = "open_clip_model.safetensors"  # open_clip's `hf_hub` name; read where the others are missing
MAX_SHARDS = 1000
# An index takes about 100 bytes a tensor; mixtures of experts have some 200,000.
MAX_INDEX_BYTES = 32 * 2**20


def load_weights(module: VisionEncoder, folder: str, names: WeightNames) -> None:
    """Fill `module`, built on the meta device, from the safetensors files of `folder`; dtypes are the module's.

    Raises `WeightsError` that lists every missing, unknown and misshapen tensor; the module is then left as it was.
    """
    weights = find_weights(folder)
    parameters = module.state_dict(keep_vars=True)  # parameters, and what is stored without being learned
    matches = match_weights(weights, parameters, names)
    filled = {name: torch.empty_like(parameter, device="cpu") for name, parameter in parameters.items()}
    something = not filled
    for path, of_file in groupby(matches, key=lambda match: match.file):
        with open_values(path, weights.files[path]) as values:
            for match in of_file:
                something |= fill(filled[match.ours], values, match.name, match.step, module.spec.head_dim)
    if not something:
        raise WeightsError(f"{weights.source}: every value is zero, as after a copy that broke off; fetch it again")
    module.load_state_dict(filled, assign=True)


def find_weights(folder: str) -> Weights:
    """The safetensors files of a model folder, whole or by index. Raises `WeightsError` where there are none."""
    for name in (WHOLE, INDEX, OPEN_CLIP):
        path = os.path.join(folder, name)
        if not os.path.lexists(path):
            continue
        if name == INDEX:
            return _indexed(folder, path)
        return Weights(path, {path: read_header(model_file(folder, name, WeightsError))})
    try:
        pickles = sorted(name for name in os.listdir(folder) if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
    except OSError as error:
        raise WeightsError(f"{folder} cannot be listed: {error.strerror}") from None
    hint = f"; {one_line(pickles[0])} is a pickle, which is never opened: convert it to safetensors" if pickles else ""
    raise WeightsError(f"{folder} holds no model.safetensors{hint}")


def _indexed(folder: str, index: str) -> Weights:
    """The shards that an index names, which hold what it says."""
    places = read_json(model_file(folder, INDEX, WeightsError), MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(shard, str) for shard in places.values()):
        raise WeightsError(f"{index}: weight_map must map tensor names to file names")
    shards = sorted(set(places.values()))
    if len(shards) > MAX_SHARDS:
        raise WeightsError(f"{index}: weight_map names more than {MAX_SHARDS:,} files")
    if strange := [shard for shard in shards if not _SHARD.fullmatch(shard) or len(shard) > 255]:
        raise WeightsError(f"{index}: {shown(strange[0])} is no name of a safetensors file beside the index")
    files = {shard: read_header(model_file(folder, shard, WeightsError)) for shard in shards}
    if lost := [name for name, shard in places.items() if name not in files[shard]]:
        raise WeightsError(f"{index}: {len(lost):,} not in the file that it names: {listed(lost)}")
    return Weights(index, {os.path.join(folder, shard): header for shard, header in files.items()})
