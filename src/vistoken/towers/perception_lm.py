"""The tower of PerceptionLM: Perception Encoder as timm builds it, then two matrices and a mean over blocks of tokens.

The vision config names an architecture of timm and, in `model_args`, what differs from it.
Sources: transformers 5.23.0, `models/perception_lm/modeling_perception_lm.py`, `models/timm_wrapper/`; timm 1.0.31,
`models/eva.py`; arXiv 2504.13180.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vistoken.configs import Config
from vistoken.connector import Activate, AveragePool, Connector, Linear
from vistoken.errors import did_you_mean
from vistoken.family import REFERENCE, Files
from vistoken.spec import EncoderSpec
from vistoken.towers.llm import text_width
from vistoken.towers.perception import TIMM_TOWER, tower
from vistoken.towers.timm import as_timm
from vistoken.weight_names import LLM_PARTS, WeightNames, affine, under

_LARGE = {"patch_size": 14, "embed_dim": 1024, "num_heads": 16, "mlp_ratio": 4.0, "class_token": True}
_GIANT = {"patch_size": 14, "embed_dim": 1536, "num_heads": 16, "mlp_ratio": 8960 / 1536, "class_token": False}
_CORE = {"global_pool": "map", "use_post_transformer_norm": True, "init_values": None}
_LANG = {"global_pool": "avg", "use_post_transformer_norm": False, "init_values": 0.1}
# In timm's words, `ref_feat_shape` being rows and columns.
ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "vit_pe_core_large_patch14_336": {**_LARGE, **_CORE, "depth": 24, "img_size": 336, "ref_feat_shape": (24, 24)},
    "vit_pe_core_gigantic_patch14_448": {**_GIANT, **_CORE, "depth": 50, "img_size": 448, "ref_feat_shape": (32, 32)},
    "vit_pe_lang_large_patch14_448": {**_LARGE, **_LANG, "depth": 23, "img_size": 448, "ref_feat_shape": (32, 32)},
    "vit_pe_lang_gigantic_patch14_448": {**_GIANT, **_LANG, "depth": 47, "img_size": 448, "ref_feat_shape": (32, 32)},
}


def perception_lm(files: Files) -> EncoderSpec:
    """The encoder and its projector. Raises `ConfigError` for another tower, and where config and processor differ."""
    arguments = _arguments(files.config.child("vision_config"))
    spec = as_timm(tower(_in_metas_words(arguments)), arguments)
    config = files.config.with_defaults(
        {"vision_use_cls_token": True, "projector_pooling_ratio": 1}, f"PerceptionLMConfig in {REFERENCE}"
    )
    if (drops := config.flag("vision_use_cls_token")) != bool(spec.prefix):
        raise config.error("vision_use_cls_token", drops, "it must tell whether the tower has a class token")
    side, width = config.integer("projector_pooling_ratio", high=64), text_width(files.config, "llama")
    if files.processor.has("pooling_ratio") and files.processor.raw("pooling_ratio") != side:
        raise config.error("projector_pooling_ratio", side, "the processor's pooling_ratio must be the same")
    stages = (Linear(width), Activate("gelu"), Linear(width), AveragePool(side))
    return replace(spec, connector=Connector(stages=stages))


def _arguments(vision: Config) -> Config:
    """What timm's class is given: the architecture's own values and, before them, those of `model_args`."""
    own = vision.choice("architecture", ARCHITECTURES)
    given = vision.child("model_args")
    for name in given.values:
        if name not in own:
            raise given.error(name, given.values[name], f"no argument that is read here.{did_you_mean(name, own)}")
    arguments = given.with_defaults(own, f"{vision.raw('architecture')} of timm 1.0.31")
    if arguments.raw("global_pool") != "":
        rule = 'it must be "": the projector reads all tokens, and other files hold a norm or a pool besides'
        raise arguments.error("global_pool", arguments.raw("global_pool"), rule)
    return arguments


def _in_metas_words(arguments: Config) -> Config:
    """The same as PEConfig has it, which the tower is read from."""
    reference = arguments.size("ref_feat_shape")
    if reference.height != reference.width:
        raise arguments.error("ref_feat_shape", str(reference), "rows and columns must be equally many")
    return arguments.replaced(
        patch_size=arguments.raw("patch_size"),
        image_size=arguments.raw("img_size"),
        width=arguments.raw("embed_dim"),
        layers=arguments.raw("depth"),
        heads=arguments.raw("num_heads"),
        mlp_ratio=arguments.raw("mlp_ratio"),
        use_cls_token=arguments.flag("class_token"),
        use_ln_post=arguments.flag("use_post_transformer_norm"),
        ls_init_value=arguments.raw("init_values"),
        ref_feat_shape=reference.height,
        pool_type="none",
    )


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.timm_model.", *TIMM_TOWER),
        *affine("multi_modal_projector.linear_1", "connector.stages.0"),
        *affine("multi_modal_projector.linear_2", "connector.stages.2"),
    ),
    ignored=LLM_PARTS,
)
