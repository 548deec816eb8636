"""What timm's vision transformers do otherwise than the library's, whatever the family."""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.spec import (
    AttentionPool,
    ClassPool,
    EncoderSpec,
    LearnedTable,
    MeanPool,
    NoPool,
    Pool,
    ProjectedClass,
    TableResize,
)

NORMED_MEAN = MeanPool(norm=True)


def as_timm(encoder: EncoderSpec, config: Config, mean: MeanPool = NORMED_MEAN) -> EncoderSpec:
    """timm's position table and pool (timm 1.0.31, `layers/pos_embed.py`, `models/vision_transformer.py`).

    Tables are brought to other sizes with antialias. Where `global_pool` names another kind of pool than the family's
    own, it is exchanged; where a mean is pooled, the last norm follows it instead of standing before it, but for the
    architectures with `fc_norm=False`, which give another `mean`.
    """
    position = encoder.position
    if isinstance(position, LearnedTable):
        position = replace(position, resize=TableResize("bicubic", antialias=True))
    encoder = replace(encoder, position=position)
    pools: dict[str, tuple[Pool, tuple[type, ...]]] = {
        "": (NoPool(), (NoPool,)),
        "token": (ClassPool(), (ClassPool, ProjectedClass)),
        "avg": (mean, (MeanPool,)),
        "map": (AttentionPool(encoder.heads, encoder.mlp.hidden), (AttentionPool,)),
    }
    if not config.has("global_pool"):
        return encoder
    pool, alike = config.choice("global_pool", pools)
    if isinstance(encoder.pool, alike):
        return encoder
    return replace(encoder, pool=pool, final_norm="none" if pool == NORMED_MEAN else encoder.final_norm)
