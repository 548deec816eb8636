"""MLCD: CLIP's tower with rotary positions, in which the class token has learned angles of its own (arXiv 2407.17331).

Only the bigG models are this network; the smaller ones of the series are CLIP towers (`families/clip.py`). Published
files say `model_type` "mlcd", files that transformers 5 writes "mlcd_vision_model".
Source: transformers 5.23.0, `models/mlcd/modeling_mlcd.py` and `configuration_mlcd.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.family import QUOTED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, standard
from vistoken.spec import ClassRotary, NoPosition
from vistoken.towers import clip
from vistoken.towers.axial import axial
from vistoken.weight_names import Ignore, Weight, WeightNames

DEFAULTS = {
    "hidden_size": 1664, "num_hidden_layers": 48, "num_attention_heads": 16, "intermediate_size": 8192,
    "hidden_act": "gelu", "layer_norm_eps": 1e-5, "image_size": 336, "patch_size": 14, "num_channels": 3,
    "num_key_value_groups": 1,
}  # fmt: skip


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"MLCDVisionConfig in {REFERENCE}")
    config.integer("num_key_value_groups", low=1, high=1)  # as many keys as queries, in every published model
    encoder = replace(clip.tower(config), position=NoPosition(), rotary=ClassRotary(axial(config).base))
    return Reading(encoder, *standard(files.image, "CLIPImageProcessor", encoder.patch, config.size("image_size")))


WEIGHTS = WeightNames(
    roots=("", "vision_model."),
    weights=(
        *(weight for weight in clip.WEIGHTS if weight.ours != "embed.position.table"),
        Weight("class_pos_emb", "embed.class_angles"),
    ),
    ignored=(("embeddings.position_ids", Ignore("a counter that older files store")),),
)


def _mlcd(pixels: int, *names: str) -> Published:
    config = {"model_type": "mlcd", "hidden_size": 1664, "num_hidden_layers": 48, "num_attention_heads": 16,
              "intermediate_size": 8192, "hidden_act": "gelu", "image_size": pixels, "patch_size": 14}  # fmt: skip
    preprocessor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": pixels}, "resample": 3,
                    "crop_size": pixels, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}  # fmt: skip
    return Published(names, config, preprocessor, QUOTED)


FAMILY = Family(
    name="MLCD",
    model_types=("mlcd", "mlcd_vision_model"),
    read=read,
    published=(
        _mlcd(224, "DeepGlint-AI/mlcd-vit-bigG-patch14-224", "mlcd-bigg14-224"),
        _mlcd(336, "DeepGlint-AI/mlcd-vit-bigG-patch14-336", "mlcd-bigg14-336"),
        _mlcd(448, "DeepGlint-AI/mlcd-vit-bigG-patch14-448", "mlcd-bigg14-448"),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    reference=Reference(
        processor="",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"shortest_edge": 448}}, {"do_center_crop": False}),
    ),
    examples=(
        Example("mlcd-bigg14-336", 1280, 720, 576, 577, "336 / 14 = 24 a side, and one class token"),
        Example("mlcd-bigg14-448", 640, 480, 1024, 1025, "448 / 14 = 32 a side"),
    ),
)
