"""Qwen3.5-Omni, which runs behind an API only: counted by the rule of Qwen3-Omni, its predecessor.

No weights and no files of it are published, and transformers 5.23.0 knows no such model.
Source of the rule: transformers 5.23.0, `models/qwen3_omni_moe/processing_qwen3_omni_moe.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vistoken.family import Example, Family, Files, Published, Reading
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS
from vistoken.processors.qwen_omni import Omni

if TYPE_CHECKING:
    from vistoken.configs import Config


def _unknown(thinker: Config, built_in: bool) -> None:
    """No weights of its tower are published."""


OMNI = Omni(
    thinker="qwen3_omni_moe_thinker", vision="Qwen3OmniMoeVisionEncoderConfig", patch=16,
    processor="Qwen3OmniMoeProcessor", least=131_072, most=786_432, image_token="<|image_pad|>",
    video_token="<|video_pad|>", template="the chat template adds vision_start and vision_end: 2 tokens",
    encoder=_unknown,
)  # fmt: skip
IMAGE = PROCESSOR | {
    "patch_size": 16, "image_mean": HALF, "image_std": HALF, "min_pixels": 3136, "max_pixels": 12_845_056,
}  # fmt: skip


def read(files: Files) -> Reading:
    """As Qwen3-Omni; what the tower computes is not known."""
    return replace(OMNI.read(files), computes=False)


FAMILY = Family(
    name="Qwen3.5-Omni",
    model_types=(),
    read=read,
    published=(
        Published(
            ("qwen3.5-omni",),
            {"model_type": "qwen3_omni_moe"},
            IMAGE,
            Label("assumed", "no files are published; the values are those of Qwen3-Omni"),
            video=IMAGE,
            notes=("Qwen3.5-Omni runs behind an API; no rule of its own was found: counted as Qwen3-Omni",),
        ),
    ),
    rule=Label("inferred", "the rule of Qwen3-Omni, its predecessor"),
    settings=SETTINGS + VIDEO_SETTINGS,
    examples=(
        Example("qwen3.5-omni", 1280, 720, None, 880, "Qwen3-Omni: Qwen2VLImageProcessorPil, 44 x 80 / 4"),
        Example("qwen3.5-omni", 1, 1, None, 4, "Qwen3-Omni: Qwen2VLImageProcessorPil, 64 x 64"),
        Example("qwen3.5-omni", 1280, 720, None, 3600, "Qwen3-Omni: Qwen3OmniMoeProcessor, 5 x 40 x 72 / 4",
                arguments={"frames": 9}),
    ),
)  # fmt: skip
