"""What timm's vision transformers do otherwise than the library's, whatever the family."""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.spec import EncoderSpec, LearnedTable, TableResize


def as_timm(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """timm brings position tables to other sizes with antialias (timm 1.0.31, `layers/pos_embed.py`)."""
    position = encoder.position
    if isinstance(position, LearnedTable):
        position = replace(position, resize=TableResize("bicubic", antialias=True))
    return replace(encoder, position=position)
