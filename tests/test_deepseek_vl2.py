"""DeepSeek-VL2's tower, a copy of timm's SigLIP under the vendor's names: timm's answers, and every tile by itself."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from conftest import PHOTOGRAPHS  # noqa: E402
from evidence import agree  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from test_written_back import check_written_back  # noqa: E402
from timm_goldens import golden, pixels  # noqa: E402
from twins import close  # noqa: E402

from vistoken import count, registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.encoding.prepared import normalise  # noqa: E402
from vistoken.errors import ConfigError  # noqa: E402
from vistoken.geometry import Size  # noqa: E402
from vistoken.pixels import carry_out, load  # noqa: E402

CANVASES = [[64 * cols, 64 * rows] for rows in (1, 2) for cols in (1, 2, 3)]
# What lies beside the tower in the vendor's files, and what of timm's head does not.
OTHERS = ("language.lm_head.weight", "projector.layers.0.weight", "image_newline", "view_seperator")


def save(folder, **vision):
    small = {"width": 32, "layers": 2, "heads": 2, "mlp_ratio": 4, "patch_size": 32, "image_size": 64}
    config = {"model_type": "deepseek_vl_v2", "vision_config": small | vision}
    processor = {"processor_class": "DeepseekVLV2Processor", "candidate_resolutions": CANVASES, "patch_size": 32,
                 "downsample_ratio": 2}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "processor_config.json").write_text(json.dumps(processor))
    return str(folder)


@pytest.fixture
def folder(tmp_path):
    tower = {f"vision.{name}": torch.from_numpy(t) for name, t in golden("siglip-tanh").tensors().items()}
    save_file(tower | {name: torch.zeros(3) for name in OTHERS}, tmp_path / "model.safetensors")
    return save(tmp_path)


def test_patches_are_timms(folder):
    wanted = golden("siglip-tanh")
    [result] = Encoder.from_pretrained(folder).encode_pixels([torch.from_numpy(pixels(wanted.seed, 64, 64))])
    tokens = torch.from_numpy(wanted.outputs[64, 64]["tokens"])
    agree(folder, "tokens", result.patches, tokens, (64, 64), form="DeepSeek's", against="timm 1.0.31")
    assert result.image_tokens is None


def test_tiles_are_encoded_as_each_by_itself_and_counted(folder):
    spec, encoder = registry.describe(folder), Encoder.from_pretrained(folder)
    for path, result in zip(PHOTOGRAPHS[:2], encoder.encode(PHOTOGRAPHS[:2]), strict=True):
        picture = load(path)
        views = spec.views(Size(height=picture.height, width=picture.width))
        tiles = [normalise(np.asarray(carry_out(picture, view)), spec.pixels) for view in views]
        close(result.patches, torch.cat([tile.patches for tile in encoder.encode_pixels(tiles)]))
        assert count(folder, image=path).patches == len(result.patches)


def test_weights_written_back_equal_the_file(folder):
    check_written_back(folder)


@pytest.mark.parametrize(
    ("vision", "message"),
    [
        ({"patch_size": 16}, "patch_size is 16: the processor says"),
        ({"class_token": True}, "class_token is True"),
        ({"global_pool": "avg"}, "global_pool is 'avg': known are map"),
        ({"heads": 5}, "it must divide"),
    ],
)
def test_what_was_never_published_is_refused(tmp_path, vision, message):
    with pytest.raises(ConfigError, match=message):
        registry.describe(save(tmp_path, **vision)).encoder  # noqa: B018  # read when asked for
