"""What timm's vision transformers do otherwise than the library's, whatever the family."""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.spec import AttentionPool, ClassPool, EncoderSpec, LearnedTable, MeanPool, NoPool, Pool, TableResize

NORMED_MEAN = MeanPool(norm=True)


def as_timm(encoder: EncoderSpec, config: Config, mean: MeanPool = NORMED_MEAN) -> EncoderSpec:
    """timm's position table and pool (timm 1.0.31, `layers/pos_embed.py`, `models/vision_transformer.py`).

    Tables are brought to other sizes with antialias. `global_pool` chooses the pool; where a mean is pooled, the last
    norm follows it instead of all tokens, but for the architectures with `fc_norm=False`: those give another `mean`.
    """
    position = encoder.position
    if isinstance(position, LearnedTable):
        position = replace(position, resize=TableResize("bicubic", antialias=True))
    pools: dict[str, Pool] = {"": NoPool(), "token": ClassPool(), "avg": mean,
                              "map": AttentionPool(encoder.heads, encoder.mlp.hidden)}  # fmt: skip
    pool = config.choice("global_pool", pools) if config.has("global_pool") else encoder.pool
    final = "none" if pool == NORMED_MEAN else encoder.final_norm
    return replace(encoder, position=position, pool=pool, final_norm=final)
