"""One network in every form of its files: what transformers saved is renamed here by hand, and gives the same tokens.

timm's networks resize position tables by a rule of their own, so that these are compared at the size of the table; what
timm itself makes of such files is the subject of `test_timm.py`.
"""

import json
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from evidence import agree  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from test_written_back import check_written_back  # noqa: E402
from twins import close, config_of, tokens_of, twin  # noqa: E402

from vistoken import registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import ConfigError, ModelError, WeightsError  # noqa: E402

# ---------------------------------------------------------------- the names of others


def fused(tensors, names, new):
    """Three tensors, of q, k and v, become one; `names` are what tells them apart."""
    done = {name: tensor for name, tensor in tensors.items() if not any(part in name for part in names)}
    for name in tensors:
        if names[0] in name:
            done[name.replace(names[0], new)] = torch.cat([tensors[name.replace(names[0], part)] for part in names])
    return done


def renamed(tensors, rules):
    done = {}
    for name, tensor in tensors.items():
        for pattern, new in rules.items():
            name = re.sub(pattern, new, name)
        done[name] = tensor
    return done


VIT_TO_TIMM = {
    r"^(vit|deit|ijepa)\.": "", r"^embeddings\.cls_token": "cls_token", r"^embeddings\.distillation_token": "dist_token",
    r"^embeddings\.position_embeddings": "pos_embed", r"^embeddings\.patch_embeddings\.projection": "patch_embed.proj",
    r"^encoder\.layer\.": "blocks.", r"attention\.output\.dense": "attn.proj", r"layernorm_before": "norm1",
    r"layernorm_after": "norm2", r"intermediate\.dense": "mlp.fc1", r"output\.dense": "mlp.fc2",
    r"^layernorm": "norm", r"^(cls_)?classifier": "head", r"^distillation_classifier": "head_dist",
}  # fmt: skip


def vit_to_timm(tensors):
    parts = tuple(f"attention.attention.{name}" for name in ("query", "key", "value"))
    tensors = {name: tensor for name, tensor in tensors.items() if "pooler" not in name}
    return renamed(fused(tensors, parts, "attn.qkv"), VIT_TO_TIMM)


CLIP_TO_OPENAI = {
    r"^vision_model\.": "", r"^embeddings\.class_embedding": "class_embedding",
    r"^embeddings\.patch_embedding": "conv1", r"^embeddings\.position_embedding\.weight": "positional_embedding",
    r"^pre_layrnorm": "ln_pre", r"^encoder\.layers\.": "transformer.resblocks.", r"layer_norm": "ln_",
    r"attn\.in_proj\.": "attn.in_proj_", r"self_attn\.out_proj": "attn.out_proj", r"mlp\.fc1": "mlp.c_fc",
    r"mlp\.fc2": "mlp.c_proj", r"^post_layernorm": "ln_post", r"^": "visual.",
}  # fmt: skip
PROJECTIONS = tuple(f"self_attn.{name}_proj" for name in "qkv")


def of_tower(tensors):
    return {name: tensor for name, tensor in tensors.items()
            if not name.startswith(("text_", "logit_", "visual_projection"))}  # fmt: skip


def clip_to_openai(tensors):
    """With the text tower beside it, some of whose tensors are called as the picture's are, but for "visual."."""
    mine = renamed(fused(of_tower(tensors), PROJECTIONS, "attn.in_proj"), CLIP_TO_OPENAI)
    mine["visual.proj"] = tensors["visual_projection.weight"].T.contiguous()
    text = {"positional_embedding": (7, 16), "text_projection": (16, 20), "token_embedding.weight": (9, 16),
            "transformer.resblocks.0.ln_1.weight": (16,), "ln_final.weight": (16,), "logit_scale": ()}  # fmt: skip
    counters = {name: torch.tensor(7) for name in ("input_resolution", "context_length", "vocab_size")}
    return mine | {name: torch.ones(shape) for name, shape in text.items()} | counters


CLIP_TO_TIMM = {
    r"^vision_model\.": "", r"^embeddings\.class_embedding": "cls_token",
    r"^embeddings\.patch_embedding": "patch_embed.proj", r"^embeddings\.position_embedding\.weight": "pos_embed",
    r"^pre_layrnorm": "norm_pre", r"^encoder\.layers\.": "blocks.", r"layer_norm": "norm",
    r"self_attn\.out_proj": "attn.proj", r"^post_layernorm": "norm",
    r"^head\.probe": "attn_pool.latent", r"^head\.attention\.out_proj": "attn_pool.proj",
    r"^head\.layernorm": "attn_pool.norm", r"^head\.mlp": "attn_pool.mlp",
}  # fmt: skip


def clip_to_timm(tensors):
    done = renamed(fused(of_tower(tensors), PROJECTIONS, "attn.qkv"), CLIP_TO_TIMM)
    done["cls_token"], done["pos_embed"] = done["cls_token"][None, None], done["pos_embed"][None]
    projection = tensors["visual_projection.weight"]
    return done | {"head.weight": projection, "head.bias": torch.zeros(len(projection))}


def siglip_to_timm(tensors):
    """q of the pool for itself, k and v together."""
    done = renamed(fused(of_tower(tensors), PROJECTIONS, "attn.qkv"), CLIP_TO_TIMM)
    done["pos_embed"] = done["pos_embed"][None]
    for leaf in ("weight", "bias"):
        whole = done.pop(f"head.attention.in_proj_{leaf}")
        dim = len(whole) // 3
        done |= {f"attn_pool.q.{leaf}": whole[:dim].clone(), f"attn_pool.kv.{leaf}": whole[dim:].clone()}
    return done


def naflex_to_timm(tensors):
    """The table is a grid here; patches are counted as transformers counts them, the channel last."""
    done = renamed(siglip_to_timm(tensors), {r"^patch_embed": "embeds"})
    return done | {"embeds.pos_embed": done.pop("pos_embed").reshape(1, 4, 4, 48)}


def siglip_to_open_clip(tensors):
    trunk = {f"visual.trunk.{name}": tensor for name, tensor in siglip_to_timm(tensors).items()}
    return trunk | {
        "text.positional_embedding": torch.ones(7, 16),
        "logit_scale": torch.ones(1),
        "logit_bias": torch.ones(1),
    }


DINOV2_TO_META = {
    r"^dinov2_with_registers\.": "", r"^embeddings\.patch_embeddings\.projection": "patch_embed.proj",
    r"^embeddings\.position_embeddings": "pos_embed", r"^embeddings\.": "", r"^encoder\.layer\.": "blocks.",
    r"attention\.output\.dense": "attn.proj", r"layer_scale(.)\.lambda1": r"ls\1.gamma", r"^layernorm": "norm",
    r"mlp\.weights_in": "mlp.w12", r"mlp\.weights_out": "mlp.w3",
}  # fmt: skip


def dinov2_to_meta(tensors):
    parts = tuple(f"attention.attention.{name}" for name in ("query", "key", "value"))
    return renamed(fused(tensors, parts, "attn.qkv"), DINOV2_TO_META)


def dinov2_in_chunks(tensors):
    """Blocks 0 and 1 in the first chunk, block 2 in the second."""
    return renamed(dinov2_to_meta(tensors), {r"^blocks\.([01])\.": r"blocks.0.\1.", r"^blocks\.2\.": "blocks.1.2."})


def dinov2_to_timm(tensors):
    done = renamed(
        dinov2_to_meta(tensors), {r"register_tokens": "reg_token", r"mlp\.w12": "mlp.fc1", r"mlp\.w3": "mlp.fc2"}
    )
    del done["mask_token"]
    if "reg_token" in done:  # the class token's row of the table is added to the token
        done["cls_token"] = done["cls_token"] + done["pos_embed"][:, :1]
        done["pos_embed"] = done["pos_embed"][:, 1:].clone()
    return done


DINOV3_TO_META = {
    r"^embeddings\.patch_embeddings": "patch_embed.proj", r"^embeddings\.register_tokens": "storage_tokens",
    r"^embeddings\.": "", r"^layer\.": "blocks.", r"attention\.o_proj": "attn.proj",
    r"layer_scale(.)\.lambda1": r"ls\1.gamma",
}  # fmt: skip
PLAIN = {r"mlp\.up_proj": "mlp.fc1", r"mlp\.down_proj": "mlp.fc2"}


def dinov3_mlp(tensors, gate, up, down):
    gated = any("gate_proj" in name for name in tensors)
    return renamed(tensors, {r"mlp\.gate_proj": f"mlp.{gate}", r"mlp\.up_proj": f"mlp.{up}",
                             r"mlp\.down_proj": f"mlp.{down}"} if gated else PLAIN)  # fmt: skip


def dinov3_to_meta(tensors):
    """The biases of keys are there, whatever they are, and masked."""
    weights = fused({name: tensor for name, tensor in tensors.items() if not re.search(r"\.[qkv]_proj\.bias", name)},
                    tuple(f"attention.{name}_proj" for name in "qkv"), "attn.qkv")  # fmt: skip
    done = dinov3_mlp(renamed(weights, DINOV3_TO_META), "w1", "w2", "w3")
    done["rope_embed.periods"] = torch.ones(3)
    done["local_cls_norm.weight"] = torch.ones(48)
    for name in [name for name in tensors if name.endswith("q_proj.bias")]:
        q, v = tensors[name], tensors[name.replace("q_proj", "v_proj")]
        new = name.replace("layer.", "blocks.").replace("attention.q_proj.bias", "attn.qkv.bias")
        done[new] = torch.cat([q, torch.full_like(q, float("nan")), v])
        done[f"{new}_mask"] = torch.cat([torch.ones_like(q), torch.zeros_like(q), torch.ones_like(v)])
    return done


def dinov3_to_timm(tensors):
    tensors = renamed(tensors, {r"attention\.([qv])_proj\.bias": r"attn.\1_bias"})
    weights = fused(tensors, tuple(f"attention.{name}_proj" for name in "qkv"), "attn.qkv")
    done = dinov3_mlp(renamed(weights, DINOV3_TO_META), "fc1_g", "fc1_x", "fc2")
    del done["mask_token"]
    return renamed(done, {r"storage_tokens": "reg_token", r"ls(.)\.gamma": r"gamma_\1"})


AIMV2_TO_TIMM = {
    r"^vision_model\.": "", r"^embeddings\.patch_embed": "patch_embed.proj",
    r"^embeddings\.rms_norm": "patch_embed.norm", r"^embeddings\.position_embedding\.weight": "pos_embed",
    r"^encoder\.layers\.": "blocks.", r"rms_norm([12])": r"norm\1", r"attention\.out_proj": "attn.proj",
    r"ffn\.gate_proj": "mlp.fc1_g", r"ffn\.up_proj": "mlp.fc1_x", r"ffn\.down_proj": "mlp.fc2", r"^rms_norm": "norm",
}  # fmt: skip


def aimv2_to_timm(tensors):
    done = renamed(fused(tensors, tuple(f"attention.{name}_proj" for name in "qkv"), "attn.qkv"), AIMV2_TO_TIMM)
    return done | {"pos_embed": done["pos_embed"][None]}


INTERN_TO_VENDOR = {
    r"cls_token": "class_embedding", r"position_embeddings": "position_embedding",
    r"patch_embeddings\.projection": "patch_embedding", r"encoder\.layer\.": "encoder.layers.",
    r"attention\.projection_layer": "attn.proj", r"lambda_": "ls", r"layernorm_before": "norm1",
    r"layernorm_after": "norm2",
}  # fmt: skip
VENDOR_TO_TIMM = {
    r"^embeddings\.class_embedding": "cls_token", r"^embeddings\.position_embedding": "pos_embed",
    r"^embeddings\.patch_embedding": "patch_embed.proj", r"^encoder\.layers\.": "blocks.", r"ls([12])": r"ls\1.gamma",
}  # fmt: skip


def intern_vit_to_vendor(tensors):
    parts = tuple(f"attention.{name}_proj" for name in "qkv")
    return renamed(fused(tensors, parts, "attn.qkv"), INTERN_TO_VENDOR)


def intern_vit_to_timm(tensors):
    return renamed(intern_vit_to_vendor(tensors), VENDOR_TO_TIMM)


# ---------------------------------------------------------------- folders

TRAINED = {"interpolation": "bicubic", "crop_pct": 0.9, "mean": [0.5] * 3, "std": [0.5] * 3}
NUMBERS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "layer_norm_eps",
           "patch_size", "hidden_act", "projection_dim", "num_register_tokens", "use_swiglu_ffn", "use_gated_mlp",
           "query_bias", "value_bias", "qkv_bias", "num_patches")  # fmt: skip


def original(name, folder, rename):
    """The same `config.json` with other names beside it."""
    return written(folder, config_of(twin(name).folder), rename(load_file(f"{twin(name).folder}/model.safetensors")))


def written(folder, config, tensors, file="model.safetensors", config_file="config.json"):
    (folder / config_file).write_text(json.dumps(config))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / file)
    return str(folder)


def small(monkeypatch, name, architecture):
    """For this test, timm's architecture is as small as the twin is; the numbers of timm's own that have no equal in
    the twin's config (an activation, mostly) stay."""
    config = config_of(twin(name).folder)
    vision = config.get("vision_config", config)
    networks = registry.reader(architecture).timm.architectures
    monkeypatch.setitem(
        networks, architecture, networks[architecture] | {key: vision[key] for key in NUMBERS if key in vision}
    )


def timms(name, folder, rename, architecture, pool, **values):
    config = {"architecture": architecture, "global_pool": pool, "num_classes": 0, **values,
              "pretrained_cfg": TRAINED | {"input_size": [3, twin(name).own, twin(name).own]}}  # fmt: skip
    return written(folder, config, rename(load_file(f"{twin(name).folder}/model.safetensors")))


TIMMS = {
    ("vit-classifier", "vit_base_patch16_224", "token"): vit_to_timm,
    ("vit", "deit_small_patch16_224", "token"): vit_to_timm,
    ("ijepa", "vit_huge_patch14_gap_224", "avg"): vit_to_timm,
    ("deit-teacher", "deit_base_distilled_patch16_224", "token"): vit_to_timm,
    ("clip-projected", "vit_base_patch16_clip_quickgelu_224", "token"): clip_to_timm,
    ("siglip", "vit_base_patch32_siglip_256", "map"): siglip_to_timm,
    ("naflex", "naflexvit_base_patch16_siglip", "map"): naflex_to_timm,
    ("dinov2", "vit_base_patch14_dinov2", "token"): dinov2_to_timm,
    ("dinov2-gated", "vit_giant_patch14_dinov2", "token"): dinov2_to_timm,
    ("dinov2-registers", "vit_base_patch14_reg4_dinov2", "token"): dinov2_to_timm,
    ("dinov3-registers", "vit_base_patch16_dinov3_qkvb", "token"): dinov3_to_timm,
    ("dinov3-gated", "vit_huge_plus_patch16_dinov3_qkvb", "token"): dinov3_to_timm,
    ("intern-vit", "vit_intern300m_patch14_448", ""): intern_vit_to_timm,
    ("aimv2", "aimv2_large_patch14_224", ""): aimv2_to_timm,
}
ORIGINALS = [
    ("clip-projected", clip_to_openai), ("clip-gelu", clip_to_openai), ("dinov2", dinov2_to_meta),
    ("dinov2-gated", dinov2_to_meta), ("dinov2-registers", dinov2_to_meta), ("dinov2-registers", dinov2_in_chunks),
    ("dinov3-registers", dinov3_to_meta), ("dinov3-gated", dinov3_to_meta), ("dinov3-no-bias", dinov3_to_meta),
    ("vit", vit_to_timm), ("mae", vit_to_timm), ("intern-vit", intern_vit_to_vendor),
]  # fmt: skip

WHOSE = {
    clip_to_openai: "OpenAI", dinov2_to_meta: "Meta", dinov2_in_chunks: "Meta, in chunks", dinov3_to_meta: "Meta",
    vit_to_timm: "Meta", intern_vit_to_vendor: "OpenGVLab",
}  # fmt: skip


def same(name, folder, form, *sizes):
    """Tokens and pooled vectors equal those of the folder that transformers saved; sizes are (height, width)."""
    images = [torch.randn(3, *size, generator=torch.Generator().manual_seed(size[1])) for size in sizes]
    encoders = Encoder.from_pretrained(folder), Encoder.from_pretrained(twin(name).folder)
    note = {"form": form, "against": "the same file in transformers' names", "tolerance": 1e-5}
    for size, got, wanted in zip(sizes, *(encoder.encode_pixels(images) for encoder in encoders), strict=True):
        agree(folder, "tokens", tokens_of(got), tokens_of(wanted), size[::-1], **note)
        assert (got.pooled is None) == (wanted.pooled is None)
        if got.pooled is not None:
            agree(folder, "pooled", got.pooled, wanted.pooled, size[::-1], **note)


@pytest.mark.parametrize(("name", "rename"), ORIGINALS, ids=lambda value: getattr(value, "__name__", value))
def test_tokens_of_the_original_names_equal_those_of_transformers(name, rename, tmp_path):
    folder = original(name, tmp_path, rename)
    same(name, folder, WHOSE[rename], (twin(name).own, twin(name).own), (43, 101))
    check_written_back(folder)


@pytest.mark.parametrize(("name", "architecture", "pool"), TIMMS)
def test_tokens_of_timms_form_equal_those_of_transformers(name, architecture, pool, monkeypatch, tmp_path):
    small(monkeypatch, name, architecture)
    classes = 24 if "clip" in name else 10
    folder = timms(name, tmp_path, TIMMS[name, architecture, pool], architecture, pool, num_classes=classes)
    same(name, folder, "timm", (twin(name).own, twin(name).own))
    check_written_back(folder)
    assert "timm" in registry.find(folder).spec.trust.rule.evidence


def open_clips(name, folder, tensors, file="open_clip_model.safetensors", preprocess=None, **vision):
    config = {"model_cfg": {"embed_dim": 20, "vision_cfg": {"image_size": twin(name).own, **vision}, "text_cfg": {}},
              "preprocess_cfg": preprocess or {"mean": [0.5] * 3, "std": [0.5] * 3}}  # fmt: skip
    return written(folder, config, tensors, file, "open_clip_config.json")


OWN = {"layers": 3, "width": 48, "head_width": 12, "patch_size": 8, "mlp_ratio": 80 / 48}


def openais(name):
    return clip_to_openai(load_file(f"{twin(name).folder}/model.safetensors"))


def test_tokens_of_open_clips_own_network_equal_those_of_transformers(tmp_path):
    folder = open_clips("clip-gelu", tmp_path, openais("clip-gelu"), **OWN)
    same("clip-gelu", folder, "open_clip", (32, 32))
    check_written_back(folder, "open_clip_model.safetensors")
    spec = registry.find(folder).spec
    assert "open_clip" in spec.trust.rule.evidence
    assert (spec.rule.short, str(spec.rule.crop)) == (32, "32x32")
    assert spec.encoder.position.resize.antialias


def test_quick_gelu_is_said_beside_the_tower(tmp_path):
    folder = Path(open_clips("clip-gelu", tmp_path, openais("clip-gelu"), **OWN))
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["quick_gelu"] = True
    path.write_text(json.dumps(config))
    assert registry.find(folder).spec.encoder.mlp.activation == "quick_gelu"


def test_tokens_of_timms_tower_in_open_clip_equal_those_of_transformers(monkeypatch, tmp_path):
    small(monkeypatch, "siglip", "vit_base_patch32_siglip_256")
    tensors = siglip_to_open_clip(load_file(f"{twin('siglip').folder}/model.safetensors"))
    folder = open_clips("siglip", tmp_path, tensors, preprocess={"resize_mode": "squash", "interpolation": "bicubic"},
                        timm_model_name="vit_base_patch32_siglip_256", timm_pool="map", timm_proj="none")  # fmt: skip
    same("siglip", folder, "open_clip", (32, 32))
    check_written_back(folder, "open_clip_model.safetensors")
    spec = registry.find(folder).spec
    assert "open_clip" in spec.trust.rule.evidence
    assert spec.rule.kind == "stretch"


def test_transformers_config_wins_over_open_clips(tmp_path):
    """Both are there in many repositories; the weights may be either's."""
    folder = open_clips("clip-gelu", tmp_path, openais("clip-gelu"), **OWN)
    (tmp_path / "config.json").write_text("{}")
    assert not registry.find(folder).spec.encoder.patch_bias  # a config.json that names no model is none
    (tmp_path / "config.json").write_text(json.dumps(config_of(twin("clip-gelu").folder)))
    assert not registry.find(folder).spec.encoder.position.resize.antialias
    same("clip-gelu", folder, "open_clip", (32, 32), (43, 101))


# ---------------------------------------------------------------- which parameters a tensor fills


def test_another_head_is_a_classifier(monkeypatch, tmp_path):
    """The one name, twice: CLIP's projection where it is as wide as the embedding, and otherwise left out."""
    small(monkeypatch, "clip-projected", "vit_base_patch16_clip_quickgelu_224")

    def rename(tensors):
        return clip_to_timm(tensors) | {"head.weight": torch.ones(5, 48), "head.bias": torch.ones(5)}

    folder = timms("clip-projected", tmp_path, rename, "vit_base_patch16_clip_quickgelu_224", "token", num_classes=5)
    check_written_back(folder)
    [result] = Encoder.from_pretrained(folder).encode_pixels([torch.randn(3, 32, 32)])
    close(result.pooled, Encoder.from_pretrained(folder).module.norm(result.prefix["cls"][0]), 1e-6)


def test_what_is_missing_is_told_in_the_files_own_names(monkeypatch, tmp_path):
    def rename(tensors):
        done = siglip_to_timm(tensors)
        del done["blocks.1.attn.qkv.bias"], done["attn_pool.kv.weight"]
        return done

    small(monkeypatch, "siglip", "vit_base_patch32_siglip_256")
    folder = timms("siglip", tmp_path, rename, "vit_base_patch32_siglip_256", "map")
    with pytest.raises(WeightsError, match=r"missing: blocks\.1\.attn\.qkv\.bias, attn_pool\.kv\.weight"):
        Encoder.from_pretrained(folder)


def test_two_spellings_of_one_tensor_are_one_too_many(tmp_path):
    def rename(tensors):
        return vit_to_timm(tensors) | {"encoder.layer.0.attention.attention.key.bias": torch.zeros(48)}

    with pytest.raises(WeightsError, match=r"key\.bias \(the same as blocks\.0\.attn\.qkv\.bias\)"):
        Encoder.from_pretrained(original("vit", tmp_path, rename))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"vision_cfg": {"layers": [3, 4, 6, 3], "width": 64}}, r"layers is \[3, 4, 6, 3\]: .* a ResNet, no ViT"),
        ({"vision_cfg": {"attentional_pool": True}}, "attentional_pool is True: the networks that are read have False"),
        ({"vision_cfg": {"no_ln_pre": True}}, "no_ln_pre is True"),
        ({"audio_cfg": {}}, "vision_cfg is null: without it there is no tower for pictures"),
        ({"vision_cfg": {"timm_model_name": "vit_base_patch16_siglip_224"}}, "timm_proj is 'linear': towers that are"),
        ({"vision_cfg": {"timm_model_name": "convnext_base"}}, "timm_model_name is 'convnext_base', which is not read"),
    ],
)  # fmt: skip
def test_open_clips_other_towers_are_refused(model, message, tmp_path):
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"embed_dim": 20, **model}}))
    with pytest.raises(ConfigError, match=message):
        registry.find(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"architecture": "vit_base_patch16_siglip_225"}, "Did you mean .*vit_base_patch16_siglip_224"),
        ({"architecture": "resnet50"}, "architecture is 'resnet50', which is not read"),
        ({"global_pool": "max"}, "global_pool is 'max': known are , token, avg, map"),
        ({"global_pool": "token"}, "needs a class token"),
        ({"model_args": {"depth": 3}}, "of model_args img_size alone is read"),
        ({"pretrained_cfg": {"input_size": [1, 224, 224]}}, "input_size is .* it must be .3, height, width."),
        ({"pretrained_cfg": {"input_size": [3, 224, 224], "crop_mode": "border"}}, "known are center and squash"),
    ],
)
def test_what_timm_has_and_vistoken_does_not(values, message, tmp_path):
    config = {"architecture": "vit_base_patch16_siglip_224", "pretrained_cfg": {"input_size": [3, 224, 224]}} | values
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        registry.find(tmp_path)


def test_settings_reach_timms_transform(tmp_path):
    config = {"architecture": "vit_base_patch16_224", "pretrained_cfg": {"input_size": [3, 224, 224]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert registry.find(tmp_path, settings={"image_mean": [0.1, 0.2, 0.3]}).spec.pixels.mean == (0.1, 0.2, 0.3)


@pytest.mark.parametrize("file", ["model.safetensors", "open_clip_model.safetensors"])
def test_from_the_hub_open_clips_file_is_asked_for_only_where_it_is_alone(file, tmp_path, monkeypatch):
    import huggingface_hub
    from test_registry import cache_of

    asked, real = [], huggingface_hub.snapshot_download

    def download(*arguments, **options):
        asked.append("open_clip_model.safetensors" in options["allow_patterns"])
        return real(*arguments, **options)

    (tmp_path / "made").mkdir()
    open_clips("clip-gelu", tmp_path / "made", openais("clip-gelu"), file, **OWN)
    files = {name: (tmp_path / "made" / name).read_bytes() for name in ("open_clip_config.json", file)}
    snapshot = cache_of(tmp_path, monkeypatch, "someone/clip", files)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert Encoder.from_pretrained("someone/clip").spec.name == "someone/clip"
    assert asked == [False, False] + [True] * (file != "model.safetensors")
    assert (snapshot / file).exists()
