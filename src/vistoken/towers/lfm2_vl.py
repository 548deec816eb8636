"""LFM2-VL: SigLIP 2's NaFlex tower, 2 x 2 patches side by side, a norm, an MLP.

The tower masks the padding of a batch, and a view's tokens are cut out of it: views stand alone, as they do here.
Sources: transformers 5.23.0, `models/lfm2_vl/modeling_lfm2_vl.py` (`Lfm2VlMultiModalProjector`) and
`configuration_lfm2_vl.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vistoken.configs import Config
from vistoken.connector import Connector, MergeBlocks, MlpStage, Normalise, Stage
from vistoken.family import ACTIVATIONS, REFERENCE, Files
from vistoken.spec import EncoderSpec, LayerNorm, PlainMlp
from vistoken.towers import siglip2
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, WeightNames, affine, under

DEFAULTS = {
    "projector_hidden_act": "gelu", "projector_hidden_size": 2560, "projector_bias": True,
    "projector_use_layernorm": True, "downsample_factor": 2,
}  # fmt: skip
# Class attributes of Lfm2VlImageProcessor that the tower must share.
PROCESSOR = {"encoder_patch_size": 16, "downsample_factor": 2}
# Fixed in the code of the reference: torch's default.
NORM = LayerNorm(1e-5)


def tower(files: Files) -> EncoderSpec | None:
    """The encoder and its projector; None where only values for counting are built in."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults({"model_type": "siglip2_vision_model", **siglip2.DEFAULTS}, siglip2.SOURCE)
    if (kind := vision.raw("model_type")) != "siglip2_vision_model":
        raise vision.error("model_type", kind, "only SigLIP 2's NaFlex tower, siglip2_vision_model, is encoded")
    config = files.config.with_defaults(DEFAULTS, f"Lfm2VlConfig in {REFERENCE}")
    _check(files.image, "encoder_patch_size", vision.patch("patch_size").height)
    _check(files.image, "downsample_factor", config.integer("downsample_factor", high=64))
    return siglip2.tower(vision, Connector(stages=tuple(_stages(config))))


def _check(image: Config | None, name: str, wanted: int) -> None:
    """The processor counts tokens by its own file, which must agree with the tower's."""
    if image is None:
        return
    said = image.with_defaults(PROCESSOR, f"Lfm2VlImageProcessor in {REFERENCE}").raw(name)
    if said != wanted:
        raise image.error(name, said, f"config.json says {wanted}: they must agree")


def _stages(config: Config) -> Iterator[Stage]:
    bias = config.flag("projector_bias")
    yield MergeBlocks(config.integer("downsample_factor", high=64))
    if config.flag("projector_use_layernorm"):
        yield Normalise(NORM)
    mlp = PlainMlp(config.integer("projector_hidden_size"), config.choice("projector_hidden_act", ACTIVATIONS), bias)
    yield MlpStage(mlp, text_width(config, "lfm2"))


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.vision_model.", *siglip2.WEIGHTS),  # as published
        *under("vision_tower.", *siglip2.WEIGHTS),  # as transformers 5 writes it
        *affine("multi_modal_projector.layer_norm", "connector.stages.1"),
        *affine("multi_modal_projector.linear_1", "connector.stages.2.up"),
        *affine("multi_modal_projector.linear_2", "connector.stages.2.down"),
        # Without the norm the MLP stands one further in front.
        *affine("multi_modal_projector.linear_1", "connector.stages.1.up"),
        *affine("multi_modal_projector.linear_2", "connector.stages.1.down"),
    ),
    ignored=LLM_PARTS,
)
