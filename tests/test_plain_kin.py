"""MLCD, AltCLIP and CLIP's other kin: what their published files hold otherwise than the files that transformers 5 writes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402
from twins import HALF, TINY, VIEW, arguments, close, redraw, tokens_of, twin  # noqa: E402

from vistoken import registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import ConfigError, UsageError  # noqa: E402
from vistoken.spec import ClassPool, ClassToken, NoPool, Registers  # noqa: E402


def copy_of(name, tmp_path, *, rename=lambda tensor: tensor, **values):
    """The twin's folder with tensors under other names, and other values in its config."""
    folder = Path(shutil.copytree(twin(name).folder, tmp_path / "model"))
    tensors = {rename(tensor): value for tensor, value in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))
    return str(folder)


def same_tokens(name, folder):
    image = torch.randn(3, 43, 58, generator=torch.Generator().manual_seed(0))
    [result] = Encoder.from_pretrained(folder).encode_pixels([image])
    tokens, pooled = twin(name).forward(image[None])
    close(tokens_of(result), tokens[0])
    close(result.pooled, pooled[0])


def test_mlcd_as_it_was_published(tmp_path):
    """`model_type` "mlcd", every tensor under "vision_model.", and no rotary settings."""
    folder = copy_of("mlcd", tmp_path, rename="vision_model.{}".format, model_type="mlcd", rope_parameters=None)
    assert registry.find(folder).family.name == "MLCD"
    same_tokens("mlcd", folder)


def test_altclip_as_it_was_published(tmp_path):
    """Blocks are "encoder.layers", as in CLIP; transformers 5 writes "encoder.layer"."""
    written = load_file(f"{twin('altclip').folder}/model.safetensors")
    assert any(name.startswith("vision_model.encoder.layer.") for name in written)

    def rename(tensor):
        return tensor.replace("vision_model.encoder.layer.", "vision_model.encoder.layers.")

    same_tokens("altclip", copy_of("altclip", tmp_path, rename=rename))


@pytest.mark.parametrize(
    ("config", "model"),
    [
        ("ViTConfig", "ViTModel"), ("ViTMAEConfig", "ViTMAEModel"), ("IJepaConfig", "IJepaModel"),
        ("ViTMSNConfig", "ViTMSNModel"),
    ],
)  # fmt: skip
def test_encoders_saved_alone(config, model, tmp_path):
    """Without the root that classifiers and MAE's pre-training put before their names; DINO v1 is a `ViTModel`."""
    module = getattr(hf, model)(getattr(hf, config)(**VIEW, **TINY)).eval()
    redraw(module)
    module.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(HALF))
    module.config.mask_ratio = 0.0  # the file's stays as in pre-training
    image = torch.randn(1, 3, 40, 51, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        theirs = module(image, **arguments(module, image)).last_hidden_state[0]
    [result] = Encoder.from_pretrained(str(tmp_path)).encode_pixels([image[0]])
    close(tokens_of(result), theirs)


def test_keys_shared_by_queries_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="num_key_value_groups is 2"):
        registry.find(copy_of("mlcd", tmp_path, num_key_value_groups=2))


@pytest.mark.parametrize("prefix", [(), (ClassToken(), Registers(2))])
def test_learned_angles_belong_to_one_class_token(prefix):
    spec = registry.describe("mlcd-bigg14-336").encoder
    with pytest.raises(UsageError, match="learned angles of the class token need a class token, and no other"):
        replace(spec, prefix=prefix, pool=NoPool())


@pytest.mark.parametrize(
    ("config", "model"),
    [("MetaClip2VisionConfig", "MetaClip2VisionModel"), ("ChineseCLIPVisionConfig", "ChineseCLIPVisionModel")],
)
def test_a_tower_saved_alone_is_not_projected(config, model, tmp_path):
    module = getattr(hf, model)(getattr(hf, config)(**VIEW, **TINY)).eval()
    redraw(module)
    module.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(HALF))
    encoder = Encoder.from_pretrained(str(tmp_path))
    assert encoder.module.spec.pool == ClassPool()
    image = torch.randn(3, 32, 40, generator=torch.Generator().manual_seed(1))
    [result] = encoder.encode_pixels([image])
    with torch.no_grad():
        theirs = hf.CLIPVisionModel.forward(module, image[None], interpolate_pos_encoding=True)
    close(result.pooled, theirs.pooler_output[0])


@pytest.mark.parametrize("count", [0, -1, 2.0, True])
def test_class_tokens_are_counted_in_whole_numbers(count):
    with pytest.raises(UsageError, match="class tokens: give a whole number"):
        ClassToken(count)


def test_several_class_tokens_pool_to_their_mean():
    """By choice too, as the family's own."""
    image = torch.randn(3, 40, 24, generator=torch.Generator().manual_seed(2))
    for pool, part in (("own", slice(None)), ("cls", slice(None)), ("cls+mean", slice(32))):
        [result] = Encoder.from_pretrained(twin("pixio").folder, pool=pool).encode_pixels([image])
        assert len(result.prefix["cls"]) == 3
        close(result.pooled[part], twin("pixio").forward(image[None])[1][0])


def test_small_models_of_mlcd_are_clips_tower():
    for name, tokens in (("mlcd-b32", 50), ("mlcd-l14-336", 577)):
        encoder = registry.describe(name).encoder
        assert encoder.rotary is None
        assert encoder.pool == ClassPool()
        assert encoder.mlp.activation == "quick_gelu"
        assert encoder.position.rows * encoder.position.cols + encoder.prefix_tokens == tokens
