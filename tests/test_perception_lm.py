"""PerceptionLM, whose tower only timm has: timm's answers, through the library's own projector."""

import json
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import numpy as np  # noqa: E402
from conftest import PHOTOGRAPHS  # noqa: E402
from evidence import agree  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from test_written_back import check_written_back  # noqa: E402
from timm_goldens import golden, pixels  # noqa: E402
from transformers.models.perception_lm.modeling_perception_lm import PerceptionLMMultiModalProjector  # noqa: E402
from twins import close, redraw  # noqa: E402

from vistoken import count, registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.encoding.prepared import normalise  # noqa: E402
from vistoken.errors import ConfigError  # noqa: E402
from vistoken.geometry import Size  # noqa: E402
from vistoken.pixels import carry_out, load  # noqa: E402

SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 2, "global_pool": ""}
# Golden -> architecture, the side of a tile, and patches along it.
KINDS = {"pe-lang": ("vit_pe_lang_large_patch14_448", 56), "pe-lang-g": ("vit_pe_lang_gigantic_patch14_448", 42)}
WIDTH = 40


def config_of(kind, **arguments):
    architecture, side = KINDS[kind]
    vision = {"model_type": "timm_wrapper", "architecture": architecture,
              "model_args": SMALL | {"img_size": [side, side], "ref_feat_shape": [32, 32]} | arguments}  # fmt: skip
    text = {"model_type": "llama", "hidden_size": WIDTH}
    return {"model_type": "perception_lm", "vision_config": vision, "text_config": text,
            "projector_pooling_ratio": 1 if side == 42 else 2, "vision_use_cls_token": kind == "pe-lang"}  # fmt: skip


@pytest.fixture(params=KINDS)
def model(request, tmp_path):
    """What timm answered, the projector, and the folder of the model."""
    kind, wanted = request.param, golden(request.param)
    config = config_of(kind)
    projector = PerceptionLMMultiModalProjector(_of_the_library(config))
    redraw(projector, seed=3)
    tower = {f"model.vision_tower.timm_model.{name}": torch.from_numpy(t) for name, t in wanted.tensors().items()}
    theirs = {f"model.multi_modal_projector.{name}": t for name, t in projector.state_dict().items()}
    save_file(tower | theirs | {"lm_head.weight": torch.zeros(3, WIDTH)}, tmp_path / "model.safetensors")
    return wanted, projector, save(config, tmp_path)


def _of_the_library(config):
    """What the projector reads of a config; the library's own would need timm."""
    return SimpleNamespace(
        vision_config=SimpleNamespace(**config["vision_config"]),
        text_config=SimpleNamespace(**config["text_config"]),
        projector_pooling_ratio=config["projector_pooling_ratio"],
    )


def save(config, folder):
    side, ratio = config["vision_config"]["model_args"]["img_size"][0], config["projector_pooling_ratio"]
    (folder / "config.json").write_text(json.dumps(config))
    image = {"image_processor_type": "PerceptionLMImageProcessorFast", "tile_size": side, "max_num_tiles": 6}
    (folder / "preprocessor_config.json").write_text(json.dumps(image))
    (folder / "processor_config.json").write_text(json.dumps({"patch_size": 14, "pooling_ratio": ratio}))
    return str(folder)


def test_image_tokens_are_timms_through_the_librarys_projector(model):
    wanted, projector, folder = model
    side = KINDS[wanted.name][1]
    [result] = Encoder.from_pretrained(folder).encode_pixels([torch.from_numpy(pixels(wanted.seed, side, side))])
    tokens = torch.from_numpy(wanted.outputs[side, side]["tokens"])
    note = {"size": (side, side), "against": "timm 1.0.31 and the library's projector"}
    agree(folder, "tokens", torch.cat([*result.prefix.values(), result.patches]), tokens, **note)
    with torch.no_grad():
        image = projector(tokens[None, len(tokens) - len(result.patches) :])[0]
    agree(folder, "image tokens", result.image_tokens, image, **note)


def test_tiles_are_encoded_as_each_by_itself_and_counted(model):
    _, _, folder = model
    spec, encoder = registry.describe(folder), Encoder.from_pretrained(folder)
    for path, result in zip(PHOTOGRAPHS[:2], encoder.encode(PHOTOGRAPHS[:2]), strict=True):
        picture = load(path)
        views = spec.views(Size(height=picture.height, width=picture.width))
        tiles = [normalise(np.asarray(carry_out(picture, view)), spec.pixels) for view in views]
        alone = [tile.image_tokens for tile in encoder.encode_pixels(tiles)]
        close(result.image_tokens, torch.cat(alone))
        counted = count(folder, image=path)
        assert (counted.patches, counted.image_tokens) == (len(result.patches), len(result.image_tokens))


def test_weights_written_back_equal_the_file(model):
    check_written_back(model[2])


@pytest.mark.parametrize(
    ("arguments", "values", "message"),
    [
        ({"qk_norm": True}, {}, "model_args.qk_norm is True: no argument that is read here"),
        ({"global_pool": "avg"}, {}, "global_pool is 'avg': it must be \"\""),
        ({"ref_feat_shape": [4, 5]}, {}, "rows and columns must be equally many"),
        ({}, {"vision_use_cls_token": False}, "it must tell whether the tower has a class token"),
        ({}, {"projector_pooling_ratio": 4}, "the processor's pooling_ratio must be the same"),
        ({}, {"vision_config": {"architecture": "vit_pe_long"}}, "architecture is 'vit_pe_long': known are vit_pe"),
    ],
)
def test_what_is_another_network_is_refused(tmp_path, arguments, values, message):
    folder = save(config_of("pe-lang", **arguments), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config_of("pe-lang", **arguments) | values))
    with pytest.raises(ConfigError, match=message):
        registry.describe(folder).encoder  # noqa: B018  # read when asked for
