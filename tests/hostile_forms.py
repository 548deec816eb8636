"""Further hostile folders: timm's and open_clip's forms, and towers with mechanisms of their own."""

import json
import pickle

from hostile import CASES, CONFIG, PIXELS, SMALL, VIEW, WEIGHTS, Case, case, edit_json
from safetensors.torch import load_file, save_file

OPEN_CLIP, OPEN_CLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
HALF = [0.5, 0.5, 0.5]


def rewritten(config, **values):
    """A case's folder with another `config.json`, alone with the weights."""

    def build(world, folder):
        (folder / CONFIG).write_text(json.dumps(config))
        (folder / PIXELS).unlink()
        edit_json(folder / CONFIG, **values)

    return build


# ---------------------------------------------------------------- timm's config.json

TIMM = {
    "architecture": "vit_base_patch16_224", "num_classes": 0, "global_pool": "token", "model_args": {},
    "pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
                       "mean": HALF, "std": HALF},
}  # fmt: skip


def timms(field, value, *says):
    name = f"{field} {value!r:.40}"
    CASES.append(Case("timm", name, rewritten(TIMM, **{field: value}), (CONFIG, *says), count=True))


for field, value in (
    ("architecture", "../../x"), ("architecture", "resnet50"), ("architecture", "a\nb\x1b[2J"), ("architecture", 5),
    ("global_pool", "max"), ("global_pool", ["token"]), ("global_pool", {}), ("pretrained_cfg", [1]),
    ("pretrained_cfg", "vit"), ("model_args", [224]), ("model_args", {"depth": 1}), ("model_args", {"img_size": 0}),
    ("model_args", {"img_size": 10**9}), ("model_args", {"img_size": [1, 2, 3]}),
):  # fmt: skip
    timms(field, value, field)
for field, value in (
    ("input_size", ...), ("input_size", None), ("input_size", 224), ("input_size", [1, 224, 224]),
    ("input_size", [3, 1, 1]), ("input_size", [3, -224, 224]), ("input_size", [3, 10**9, 10**9]),
    ("input_size", [3, 224]), ("input_size", {"height": 224}), ("crop_pct", 1e-9), ("crop_pct", -1), ("crop_pct", "0.9"),
    ("crop_pct", None), ("crop_pct", 10**300), ("crop_mode", "border"), ("crop_mode", ["center"]),
    ("interpolation", 7), ("interpolation", "random"), ("mean", [0.5]), ("mean", [0.5, None, 0.5]), ("std", [0, 1, 1]),
    ("std", {"a": 1}),
):  # fmt: skip
    # A size smaller than a patch is told of the network, not of the file.
    timms(f"pretrained_cfg.{field}", value, "1x1" if value == [3, 1, 1] else field)


@case("timm", "another network's weights", WEIGHTS, "missing", "encoder.layer.2")
def _(world, folder):
    rewritten(TIMM)(world, folder)


@case("timm", "architecture beside model_type")
def _(world, folder):
    """transformers' word wins, as it does in the library."""
    edit_json(folder / CONFIG, architecture="resnet50", pretrained_cfg=[1])


# ---------------------------------------------------------------- open_clip


def open_clips(folder, **values):
    """The folder of CLIP in open_clip's form: the same network, and a weights file of its name."""
    vision = {"image_size": 32, "patch_size": 8, "width": 24, "layers": 2, "head_width": 6, "mlp_ratio": 40 / 24}
    config = {"model_cfg": {"embed_dim": 20, "vision_cfg": vision}, "preprocess_cfg": {"mean": HALF, "std": HALF}}
    (folder / OPEN_CLIP).write_text(json.dumps(config))
    edit_json(folder / OPEN_CLIP, **values)
    for name in (CONFIG, PIXELS):
        (folder / name).unlink()
    (folder / WEIGHTS).rename(folder / OPEN_CLIP_WEIGHTS)


def clips(field, value, *says):
    name, leaf = f"{field} {value!r:.40}", field.rpartition(".")[2]
    build = lambda _, folder: open_clips(folder, **{field: value})  # noqa: E731
    CASES.append(Case("open_clip", name, build, (OPEN_CLIP, *(says or (leaf,))), count=True, kind="clip"))


@case("open_clip", "must load", kind="clip")
def _(world, folder):
    open_clips(folder)


for field, value in (
    ("model_cfg", [1]), ("model_cfg.vision_cfg", ...), ("model_cfg.vision_cfg", "ViT-B-32"), ("model_cfg.embed_dim", 0),
    ("model_cfg.embed_dim", 10**9), ("model_cfg.embed_dim", None), ("model_cfg.quick_gelu", "yes"),
    ("preprocess_cfg", [1]), ("preprocess_cfg.mean", [0.5]), ("preprocess_cfg.resize_mode", "longest"),
):  # fmt: skip
    clips(field, value)
for field, value in (
    ("layers", [3, 4, 6, 3]), ("layers", -1), ("layers", 10**9), ("width", 0), ("width", 24.5), ("head_width", 0),
    ("mlp_ratio", 1e9), ("mlp_ratio", "4"), ("image_size", 10**9), ("image_size", [32, 32, 32]), ("patch_size", 0),
    ("patch_size", 10**9), ("attentional_pool", True), ("timm_model_name", "../../x.y/z"), ("timm_model_name", 5),
    ("timm_model_name", "convnext_base.clip"),
):  # fmt: skip
    clips(f"model_cfg.vision_cfg.{field}", value)
clips("model_cfg.vision_cfg.head_width", 50)
clips("model_cfg.vision_cfg.image_size", 4, "8x8")


def clip_weights(name, place, *says):
    """`place(path, world)` puts something else where open_clip's file was."""

    def build(world, folder):
        open_clips(folder)
        place(folder / OPEN_CLIP_WEIGHTS, world)

    CASES.append(Case("open_clip", f"weights {name}", build, (OPEN_CLIP_WEIGHTS, *says), kind="clip"))


def _linked(path, world):
    path.unlink()
    path.symlink_to(world.outside / WEIGHTS)


def _twice(path, world):
    """OpenAI's spelling of what transformers' spelling of q begins to fill."""
    import torch

    save_file({**load_file(path), "visual.transformer.resblocks.0.attn.in_proj_weight": torch.zeros(72, 24)}, path)


clip_weights("a link out", _linked, "leaves the folder")
clip_weights("a pickle", lambda path, world: path.write_bytes(pickle.dumps(world.fire("open-clip"))))
clip_weights("LFS pointer", lambda path, _: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS")
clip_weights("cut", lambda path, _: path.write_bytes(path.read_bytes()[:-100]))
clip_weights("in two spellings", _twice, "resblocks.0.attn.in_proj_weight")

# ---------------------------------------------------------------- towers

TEXT = {"hidden_size": 40}
HEADS = {"hidden_size": 32, "num_heads": 2, "depth": 2, "intermediate_size": 64}
TOWERS = {
    "glm4v": {"text_config": TEXT, "vision_config": HEADS | {"patch_size": 14, "image_size": 70}},
    "llama4": {"text_config": TEXT, "vision_config": SMALL | VIEW | {"pixel_shuffle_ratio": 0.5, "patch_size": 14}},
    "kimi_k25": {"text_config": TEXT, "vision_config": {}},
    "idefics2": {"text_config": TEXT, "vision_config": SMALL | VIEW, "perceiver_config": {}},
    "lfm2_vl": {"text_config": TEXT, "vision_config": SMALL | {"patch_size": 16, "num_patches": 16}},
    "mlcd_vision_model": SMALL | VIEW,
    "pixio": SMALL | VIEW,
}  # fmt: skip


def tower(kind, field, value, *says):
    build = rewritten({"model_type": kind, **TOWERS[kind]}, **{field: value})
    CASES.append(Case("towers", f"{kind} {field} {value!r}", build, (CONFIG, *(says or (field,)))))


for kind, field, value in (
    ("glm4v", "vision_config.num_heads", 0), ("glm4v", "vision_config.num_heads", 3),
    ("glm4v", "vision_config.spatial_merge_size", 10**9), ("llama4", "vision_config.pixel_shuffle_ratio", 0.3),
    ("llama4", "vision_config.pixel_shuffle_ratio", 0), ("kimi_k25", "vision_config.pos_emb_height", 10**9),
    ("kimi_k25", "vision_config.pos_emb_width", [64]), ("idefics2", "perceiver_config.resampler_n_latents", 10**9),
    ("idefics2", "perceiver_config.resampler_n_latents", 0), ("idefics2", "perceiver_config.resampler_depth", "3"),
    ("idefics2", "perceiver_config.resampler_head_dim", -1), ("lfm2_vl", "vision_config.num_patches", 17),
    ("lfm2_vl", "downsample_factor", 10**9), ("pixio", "n_cls_tokens", 10**9), ("pixio", "n_cls_tokens", -1),
):  # fmt: skip
    tower(kind, field, value)
tower("idefics2", "perceiver_config.resampler_n_heads", 5, "num_key_value_heads", "5 heads")
tower("mlcd_vision_model", "num_attention_heads", 12, "head width 2")
