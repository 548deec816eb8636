"""EVA, EVA-02 and EVA-CLIP: large ViTs trained to predict CLIP's features, and the CLIPs that start from them.

EVA-02 has rotary positions beside its table, gated MLPs and norms within; the 4-billion tower of EVA-02-CLIP norms what
leaves attention and MLP instead of what enters. Networks for masked pre-training and classification pool the mean over
the patches and norm it; the CLIPs project the normed class token, with a bias.
Sources: timm 1.0.31, `models/eva.py` and, for EVA-L, `models/vision_transformer.py`; arXiv 2211.07636, 2303.11331,
2303.15389.
"""

from __future__ import annotations

from vistoken.family import Example, Family, Files, Published, Reading, Timm
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.towers.eva import WEIGHTS, as_timm, tower


def read(files: Files) -> Reading:
    encoder = tower(files.config)
    return Reading(encoder, *standard(files.image, "TimmTransform", encoder.patch, files.config.size("image_size")))


WORDS = ("embed_dim", "depth", "num_heads", "hidden_features")
SIZES: dict[str, tuple[int, ...]] = {  # WORDS; gated MLPs have two thirds of four times dim, rounded down
    "Ti": (192, 12, 3, 512),
    "S": (384, 12, 6, 1024),
    "B": (768, 12, 12, 2048),
    "L": (1024, 24, 16, 2730),
    "g": (1408, 40, 16, 6144),
    "E": (1792, 64, 16, 15360),
}
ROTARY: dict[str, object] = {"ref_feat_shape": 16, "swiglu_mlp": True}
NORMED: dict[str, object] = ROTARY | {"scale_mlp": True}
CLIP: dict[str, object] = NORMED | {"scale_attn_inner": True}


def _network(size: str, patch: int, more: dict[str, object], projection: int | None = None) -> dict[str, object]:
    return {"patch_size": patch, **dict(zip(WORDS, SIZES[size], strict=True)), "projection": projection, **more}


EVA_L = _network("L", 14, {"hidden_features": 4096, "qkv_bias": "all"})
NETWORKS = {
    "eva_large_patch14_196": EVA_L,
    "eva_large_patch14_336": EVA_L,
    "eva_giant_patch14_224": _network("g", 14, {}),
    "eva_giant_patch14_336": _network("g", 14, {}),
    "eva_giant_patch14_560": _network("g", 14, {}),
    "eva_giant_patch14_clip_224": _network("g", 14, {}, 1024),
    "eva02_tiny_patch14_224": _network("Ti", 14, ROTARY),
    "eva02_tiny_patch14_336": _network("Ti", 14, ROTARY),
    "eva02_small_patch14_224": _network("S", 14, ROTARY),
    "eva02_small_patch14_336": _network("S", 14, ROTARY),
    "eva02_base_patch14_224": _network("B", 14, NORMED),
    "eva02_base_patch14_448": _network("B", 14, NORMED),
    "eva02_large_patch14_224": _network("L", 14, NORMED),
    "eva02_large_patch14_448": _network("L", 14, NORMED),
    "eva02_base_patch16_clip_224": _network("B", 16, CLIP, 512),
    "eva02_large_patch14_clip_224": _network("L", 14, CLIP, 768),
    "eva02_large_patch14_clip_336": _network("L", 14, CLIP, 768),
    "eva02_enormous_patch14_clip_224": _network("E", 14, {"use_post_norm": True}, 1024),
}
CFGS = Label("documented", "timm 1.0.31, default_cfgs in models/eva.py and models/vision_transformer.py")


def _timm(name: str, *aliases: str, mode: str = "center", mean: tuple[float, ...] = CLIP_MEAN) -> Published:
    """timm's file: at 224 pixels 0.9 of the picture is kept, at other sizes all that the crop mode leaves."""
    architecture, pixels = name.partition(".")[0], int(name.partition(".")[0].rpartition("_")[2])
    trained = {
        "input_size": (3, pixels, pixels), "interpolation": "bicubic", "crop_pct": 0.9 if pixels == 224 else 1.0,
        "crop_mode": mode, "mean": mean, "std": CLIP_STD if mean is CLIP_MEAN else IMAGENET_STD,
    }  # fmt: skip
    return Published((f"timm/{name}", *aliases), {"architecture": architecture, "pretrained_cfg": trained}, {}, CFGS)


FAMILY = Family(
    name="EVA",
    model_types=(),
    read=read,
    published=(
        _timm("eva_large_patch14_196.in22k_ft_in1k"),
        _timm("eva_large_patch14_196.in22k_ft_in22k_in1k", "eva-l14-196"),
        _timm("eva_large_patch14_336.in22k_ft_in1k", mode="squash"),
        _timm("eva_large_patch14_336.in22k_ft_in22k_in1k", "eva-l14-336", mode="squash"),
        _timm("eva_giant_patch14_224.clip_ft_in1k", "eva-g14-224", "eva-g14"),
        _timm("eva_giant_patch14_336.clip_ft_in1k", mode="squash"),
        _timm("eva_giant_patch14_336.m30m_ft_in22k_in1k", "eva-g14-336", mode="squash", mean=IMAGENET_MEAN),
        _timm("eva_giant_patch14_560.m30m_ft_in22k_in1k", "eva-g14-560", mode="squash", mean=IMAGENET_MEAN),
        _timm("eva_giant_patch14_clip_224.laion400m", "eva-clip-g14"),
        _timm("eva_giant_patch14_clip_224.merged2b", "eva-clip-g14-plus"),
        _timm("eva02_tiny_patch14_224.mim_in22k", "eva02-ti14-224"),
        _timm("eva02_tiny_patch14_336.mim_in22k_ft_in1k", "eva02-ti14-336"),
        _timm("eva02_small_patch14_224.mim_in22k", "eva02-s14-224"),
        _timm("eva02_small_patch14_336.mim_in22k_ft_in1k", "eva02-s14-336"),
        _timm("eva02_base_patch14_224.mim_in22k", "eva02-b14-224"),
        _timm("eva02_base_patch14_448.mim_in22k_ft_in1k"),
        _timm("eva02_base_patch14_448.mim_in22k_ft_in22k", mode="squash"),
        _timm("eva02_base_patch14_448.mim_in22k_ft_in22k_in1k", "eva02-b14-448", mode="squash"),
        _timm("eva02_large_patch14_224.mim_in22k"),
        _timm("eva02_large_patch14_224.mim_m38m", "eva02-l14-224"),
        _timm("eva02_large_patch14_448.mim_in22k_ft_in1k"),
        _timm("eva02_large_patch14_448.mim_in22k_ft_in22k", mode="squash"),
        _timm("eva02_large_patch14_448.mim_in22k_ft_in22k_in1k", mode="squash"),
        _timm("eva02_large_patch14_448.mim_m38m_ft_in1k"),
        _timm("eva02_large_patch14_448.mim_m38m_ft_in22k", mode="squash"),
        _timm("eva02_large_patch14_448.mim_m38m_ft_in22k_in1k", "eva02-l14-448", mode="squash"),
        _timm("eva02_base_patch16_clip_224.merged2b", "eva02-clip-b16", "eva02-clip-b16-224"),
        _timm("eva02_large_patch14_clip_224.merged2b", "eva02-clip-l14-224"),
        _timm("eva02_large_patch14_clip_336.merged2b", "eva02-clip-l14-336"),
        _timm("eva02_enormous_patch14_clip_224.laion2b", "eva02-clip-e14"),
        _timm("eva02_enormous_patch14_clip_224.laion2b_plus", "eva02-clip-e14-plus"),
    ),
    rule=Label("verified", "timm 1.0.31, transforms_imagenet_eval"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=Timm(NETWORKS, as_timm),
    examples=(
        Example("eva02-l14-448", 1280, 720, 1024, 1025, "448 / 14 = 32 a side, and one class token"),
        Example("eva02-clip-e14", 640, 480, 256, 257, "224 / 14 = 16 a side, and one class token"),
        Example("eva-l14-196", 640, 480, 196, 197, "196 / 14 = 14 a side, and one class token"),
    ),
)
