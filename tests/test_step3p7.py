"""Step 3.7: planned work of its convolutions, words of both kinds, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from test_vlm import PICTURES  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from vlm_twins import vlm_twin  # noqa: E402

from vistoken import count, plan, registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import ConfigError, InputError  # noqa: E402


def edited(tmp_path, file, edit):
    folder = Path(shutil.copytree(vlm_twin("step-3.7").folder, tmp_path / "step"))
    values = json.loads((folder / file).read_text())
    edit(values)
    (folder / file).write_text(json.dumps(values))
    return str(folder)


def test_planned_parameters_and_work_of_the_connector_are_torchs():
    folder = vlm_twin("step-3.7").folder
    encoder, picture = Encoder.from_pretrained(folder), PICTURES[0]
    [result] = encoder.encode([picture])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder.module.connector(result.patches, result.grids)
    planned = plan(folder, width=picture.width, height=picture.height)
    assert 2 * dict(planned.macs.rows)["connector"] == counter.get_total_flops()
    parameters = sum(parameter.numel() for parameter in encoder.module.connector.parameters())
    assert dict(planned.params.rows)["connector"] == parameters


def test_the_published_words_of_the_tower_win(tmp_path):
    """The published file says width, layers and heads; another size beside them means nothing."""

    def publish(config):
        vision = config["vision_config"]
        vision |= {"width": vision["hidden_size"], "layers": vision["num_hidden_layers"], "heads": 2}
        vision |= {"hidden_size": 48, "num_hidden_layers": 9, "num_attention_heads": 3}

    wanted = registry.describe(vlm_twin("step-3.7").folder).encoder
    assert registry.describe(edited(tmp_path, "config.json", publish)).encoder == wanted


def test_a_grid_that_is_not_halved_twice_has_no_image_tokens():
    encoder = Encoder.from_pretrained(vlm_twin("step-3.7").folder)
    with pytest.raises(InputError, match="blocks of 4 x 4"):
        encoder.encode_pixels([torch.zeros(3, 56, 84)])


def test_another_stride_than_the_towers_is_refused(tmp_path):
    folder = edited(tmp_path, "preprocessor_config.json", lambda values: values.update(downsampler_stride=2))
    with pytest.raises(ConfigError, match="downsampler_stride is 2"):
        count(folder, width=9, height=9)
