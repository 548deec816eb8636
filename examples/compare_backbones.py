"""Four backbones that are often confused, beside the figures that others published for them.

Published figures, and what they count:
- ViT-B/16: 86.57 M parameters and 17.58 GMACs with a 1000-class head (timm 1.0.31, results tables).
- CLIP ViT-L/14@336: 191.11 GMACs, image tower with projection (timm). Its parameters were published for the whole CLIP
  only; 304,293,888 is what transformers 5.23.0's CLIPVisionModelWithProjection has.
- DINOv2 ViT-g/14: 1.1 B parameters (arXiv 2304.07193); 1784.20 GMACs at its own table size, 518 (timm).
- SigLIP SO400M/14@384: 428.23 M parameters and 335.40 GMACs with its pooling head (timm).
timm's GMACs add 5 for each element that a layer norm puts out, which is why they are about 0.1 % higher.
"""

from dataclasses import dataclass

import vistoken as vt


@dataclass(frozen=True)
class Published:
    label: str
    model: str
    options: dict
    params: float
    macs: float
    macs_at: str = ""


FOUR = (
    Published("ViT-B/16 @224", "vit-b16-224", {"head": 1000}, 86.57e6, 17.58e9),
    Published("CLIP ViT-L/14 @336", "clip-l14-336", {}, 304.29e6, 191.11e9),
    Published("DINOv2 ViT-g/14 @224", "dinov2-g14", {}, 1.1e9, 1784.20e9, "518x518"),
    Published("SigLIP SO400M/14 @384", "siglip-so400m14-384", {}, 428.23e6, 335.40e9),
)


def difference(ours: float, published: float) -> str:
    """In per cent; what rounds to zero has no sign."""
    return f"{round(100 * (ours / published - 1), 2) + 0.0:.2f} %"


def row(entry: Published) -> list[str]:
    ours = vt.plan(entry.model, **entry.options)
    compared = vt.plan(entry.model, input=entry.macs_at, **entry.options) if entry.macs_at else ours
    at = f" @{entry.macs_at.split('x')[0]}" if entry.macs_at else ""
    return [
        entry.label,
        f"{ours.tokens:,}",
        f"{ours.params.total / 1e6:,.2f} M",
        f"{entry.params / 1e6:,.2f} M",
        difference(ours.params.total, entry.params),
        f"{ours.macs.total / 1e9:,.2f} G",
        f"{compared.macs.total / 1e9:,.2f} G{at}",
        f"{entry.macs / 1e9:,.2f} G{at}",
        difference(compared.macs.total, entry.macs),
        f"{ours.memory.total / 2**20:,.0f} MiB",
    ]


def table() -> str:
    header = [
        "model",
        "tokens",
        "parameters",
        "published",
        "diff",
        "MACs",
        "ours there",
        "published",
        "diff",
        "weights",
    ]
    rows = [header, *map(row, FOUR)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
        for cells in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


if __name__ == "__main__":
    print(table())
    print(
        """
MACs are multiply-adds; FLOPs are twice as many. Weights in float32. ViT-B/16 with its 1000-class head (86.57 M; without
85.80 M). timm's published MACs add 5 for each layer-norm element. The DINOv2 paper rounds to 1.1 B; its MACs are
published at 518 only. For CLIP's tower alone the parameters beside ours are those of transformers' own class."""
    )
