"""Names, hub ids, folders, outside packages: what a model's name means."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vistoken as vt
from vistoken import registry
from vistoken.configs import Config
from vistoken.errors import ConfigError, ModelError, UsageError
from vistoken.family import Files, Reading

DATA = Path(__file__).parent / "data"
FAMILIES = list(registry.families())
EXAMPLES = [(family, example) for family in FAMILIES for example in family.examples]
PUBLISHED = json.loads((DATA / "published.json").read_text())


@pytest.mark.parametrize(("family", "example"), EXAMPLES, ids=lambda x: getattr(x, "model", ""))
def test_examples_of_the_families(family, example):
    result = vt.count(example.model, width=example.width, height=example.height, **example.arguments)
    assert (result.marker_tokens or 0, result.tokens) == (example.markers, example.tokens), example.source
    assert example.patches in (None, result.patches), example.source


def test_every_family_has_examples_and_names_found_by_scanning():
    for family in FAMILIES:
        assert family.examples, family.name
        for name in family.names():
            for spelling in (name, name.upper()):
                found, model = registry.published(spelling)
                assert found is family
                assert name in (*model.names, model.series)
        for model_type in family.model_types:
            assert registry.reader(model_type) is family


IMAGE, VIDEO = "preprocessor_config", "video_preprocessor_config"


def with_text(config, model):
    """The stored files lack their text towers, of which only the width matters here: what is built in stands in."""
    ours = model.config.get("text_config")
    return config if ours is None else config | {"text_config": config.get("text_config", {}) | ours}


@pytest.mark.parametrize("name", PUBLISHED)
def test_built_in_values_equal_the_published_files(name):
    """Files as they were published (see data/README.md): what is built in must read as they do."""
    family, model = registry.published(name)
    files = {file: content["values"] for file, content in PUBLISHED[name].items() if file != "sources"}

    nested = files.get("processor_config.json", {})  # transformers 5 keeps them there
    for part, key in ((IMAGE, "image_processor"), (VIDEO, "video_processor")):
        if nested.get(key):
            files[f"{part}.json"] = nested[key]

    if "config.json" in files:
        files["config.json"] = with_text(files["config.json"], model)

    def read(part, ours):
        values = files.get(f"{part}.json", ours)
        return None if values is None else Config(values, part)

    theirs = Files(
        config=read("config", model.config),
        image=read(IMAGE, model.preprocessor),
        processor=read("processor_config", model.processor),
        video=read(VIDEO if VIDEO + ".json" in files or model.video != model.preprocessor else IMAGE, model.video),
    )
    built_in = registry.describe(name)
    reading = family.read(theirs)
    fields = [
        field
        for field in Reading.__dataclass_fields__
        if field not in ("notes", "video", "encoder", "prefix", "rule_trust")
    ]
    assert {field: getattr(built_in, field) for field in fields} == {field: getattr(reading, field) for field in fields}
    encoder = reading.encoder() if callable(reading.encoder) else reading.encoder
    assert built_in.encoder in (encoder, None)  # of some built-in names only what counting needs is known
    assert built_in.prefix_tokens == (encoder.prefix_tokens if encoder else reading.prefix)
    assert built_in.video == (reading.video() if reading.video else None)
    if {"config.json", "preprocessor_config.json"} <= set(files):
        assert model.settings.level == "verified"


def test_settings_are_called_verified_only_where_the_files_were_seen():
    for family in FAMILIES:
        for model in family.published:
            if model.settings.level == "verified" and family.name != "front end":
                files = PUBLISHED.get(model.name, {})
                assert "config.json" in files, model.name
                assert {"preprocessor_config.json", "processor_config.json"} & set(files), model.name


def test_one_name_is_defined_once():
    names = [name.lower() for family in FAMILIES for model in family.published for name in model.names]
    assert len(names) == len(set(names))


def test_a_series_counts_alike_for_every_size():
    for family in FAMILIES:
        for series in {model.series for model in family.published if model.series}:
            counts = {vt.count(m.name, width=777, height=333).tokens for m in family.published if m.series == series}
            assert counts == {vt.count(series, width=777, height=333).tokens}


def test_the_list_of_models():
    models = vt.models()
    assert len(models) == sum(len(family.published) for family in FAMILIES) > 70
    assert {model.family for model in models} >= {
        "ViT",
        "DeiT",
        "CLIP",
        "SigLIP",
        "SigLIP 2 NaFlex",
        "DINOv2",
        "Qwen2.5-VL",
    }


# ---------------------------------------------------------------- folders


def folder_of(tmp_path, config, preprocessor=None, processor=None):
    for name, values in (("config", config), ("preprocessor_config", preprocessor), ("processor_config", processor)):
        if values is not None:
            (tmp_path / f"{name}.json").write_text(values if isinstance(values, str) else json.dumps(values))
    return str(tmp_path)


@pytest.mark.parametrize(
    "name", [name for name, files in PUBLISHED.items() if {"config.json", "preprocessor_config.json"} <= set(files)]
)
def test_a_folder_with_the_published_files_is_the_built_in_model(tmp_path, name):
    files = PUBLISHED[name]
    config = with_text(files["config.json"]["values"], registry.published(name)[1])
    folder = folder_of(tmp_path, config, files["preprocessor_config.json"]["values"])
    from_folder, built_in = registry.describe(folder), registry.describe(name)
    assert (from_folder.rule, from_folder.pixels) == (built_in.rule, built_in.pixels)
    assert built_in.encoder in (from_folder.encoder, None)  # of some built-in names only what counting needs is known
    assert from_folder.trust.settings.level == "verified"
    assert from_folder.trust.settings.evidence == f"read from {folder}"


def test_processor_config_of_the_new_kind_wins(tmp_path):
    old = {"image_processor_type": "ViTImageProcessor", "size": {"height": 64, "width": 64}}
    new = {"image_processor": {"image_processor_type": "ViTImageProcessorFast", "size": {"height": 96, "width": 96}}}
    assert vt.count(folder_of(tmp_path, {"model_type": "vit"}, old), width=9, height=9).patches == 16
    assert vt.count(folder_of(tmp_path, {"model_type": "vit"}, old, new), width=9, height=9).patches == 36


@pytest.mark.parametrize(
    ("processor", "tokens"),
    [
        ({"image_processor_type": "ViTImageProcessor", "size": 64}, 16),
        ({"feature_extractor_type": "ViTFeatureExtractor", "size": 64}, 16),
        ({"size": 64}, 16),
        ({"image_processor_type": "CLIPImageProcessor", "size": 64, "crop_size": 48}, 9),
        ({"image_processor_type": "CLIPImageProcessor", "size": 64, "do_center_crop": False}, 4 * 8),
        ({"image_processor_type": "ViTImageProcessor", "do_resize": False}, 25 * 12),
    ],
)
def test_old_and_new_spellings(tmp_path, processor, tokens):
    folder = folder_of(tmp_path, {"model_type": "vit"}, processor)
    assert vt.count(folder, width=400, height=200).patches == tokens


def test_a_front_end_of_ones_own(tmp_path):
    config = {"model_type": "vistoken_front_end", "patch_size": [32, 16], "hidden_size": 64, "num_register_tokens": 4}
    result = vt.count(folder_of(tmp_path, config, {}), width=224, height=224)
    assert result.rows == (("patches", 98), ("class token", 1), ("register tokens", 4))


def test_without_a_preprocessor_the_size_rule_is_unknown(tmp_path):
    folder = folder_of(tmp_path, {"model_type": "vit"})
    with pytest.raises(ConfigError, match=r"no preprocessor_config\.json"):
        vt.count(folder, width=5, height=5)


DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("not json", r"config\.json is not valid JSON"),
        ('{"model_type": "vit"', r"config\.json is not valid JSON"),
        ("[1, 2]", r"config\.json holds a JSON list"),
        ('{"model_type": "vit", "layer_norm_eps": NaN}', "NaN is not a number of JSON"),
        ('{"hidden_size": ' + "9" * 5000 + "}", r"config\.json is not valid JSON"),
        (DEEP, "nested too deeply"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        ({}, "model_type is missing"),
        ({"model_type": "resnet"}, r"model_type is 'resnet', which is not read"),
        ({"model_type": "vistoken.configs"}, "is not read"),
        ({"model_type": ["vit"]}, "is not read"),
        ({"model_type": "vit", "hidden_size": "768"}, r"config\.json: hidden_size is '768': it must be a whole number"),
        ({"model_type": "vit", "hidden_size": 768.0}, r"hidden_size is 768\.0"),
        ({"model_type": "vit", "hidden_size": True}, "hidden_size is True"),
        ({"model_type": "vit", "hidden_size": 0}, "hidden_size is 0"),
        ({"model_type": "vit", "hidden_size": -768}, "hidden_size is -768"),
        ({"model_type": "vit", "hidden_size": 10**12}, "hidden_size is 1000000000000"),
        ({"model_type": "vit", "num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ({"model_type": "vit", "num_attention_heads": 5}, "num_attention_heads is 5: it must divide hidden_size, which is 768"),
        ({"model_type": "vit", "hidden_act": "geluu"}, r"hidden_act is 'geluu': known are gelu.*Did you mean"),
        ({"model_type": "vit", "hidden_act": "__import__('os').system('true')"}, "hidden_act is"),
        ({"model_type": "vit", "patch_size": 0}, "patch_size is 0"),
        ({"model_type": "vit", "patch_size": [16]}, r"patch_size is \[16\]"),
        ({"model_type": "vit", "patch_size": 500}, "it must hold from one to 1,048,576 patches of 500x500"),
        ({"model_type": "vit", "image_size": "big"}, "image_size is 'big'"),
        ({"model_type": "vit", "qkv_bias": "yes"}, "qkv_bias is 'yes': it must be true or false"),
        ({"model_type": "vit", "num_channels": 4}, "num_channels is 4"),
        ({"model_type": "vit", "layer_norm_eps": 10**400}, "layer_norm_eps is 1000"),
        ({"model_type": "vit", "hidden_size": None}, "hidden_size is null"),
        ({"model_type": "vit", "image_size": 65_536, "patch_size": 1}, "it must hold from one to"),
        ({"model_type": "vit", "layer_norm_eps": "1e-6"}, "layer_norm_eps is '1e-6'"),
        ({"model_type": "clip", "vision_config": [1]}, "vision_config is"),
        ({"model_type": "clip", "vision_config": {"num_attention_heads": 7}}, r"vision_config\.num_attention_heads is 7"),
        ({"model_type": "siglip2", "vision_config": {"num_patches": 250}}, "num_patches is 250: the position table must be a square"),
        ({"model_type": "dinov2", "mlp_ratio": -1}, "mlp_ratio is -1"),
        ({"model_type": "vistoken_front_end", "position": "spiral"}, "position is 'spiral'"),
        ({"model_type": "vistoken_front_end", "hidden_size": 6}, r"config\.json: .*multiple of 4"),
    ],
)  # fmt: skip
def test_broken_configs_name_file_and_field(tmp_path, config, message):
    folder = folder_of(tmp_path, config, {})
    with pytest.raises(ConfigError, match=message) as error:
        registry.describe(folder)
    assert len(str(error.value).splitlines()) <= 2
    assert len(str(error.value)) < 700


@pytest.mark.parametrize(
    ("preprocessor", "message"),
    [
        ({"image_std": [0, 1, 1]}, r"preprocessor_config\.json: image_std is 0: it must be a number from 1e-09"),
        ({"image_mean": [0.5, 0.5]}, "image_mean is .*: it must hold 3 numbers"),
        ({"image_mean": ["a", 0, 0]}, "image_mean is 'a'"),
        ({"size": {"height": 224}}, "size is"),
        ({"size": {"height": 10**12, "width": 5}}, "size is"),
        ({"size": {"shortest_edge": 224, "longest_edge": 500}}, "together with longest_edge"),
        ({"resample": 9}, "resample is 9"),
        ({"resample": "bicubic"}, "resample is 'bicubic'"),
        ({"do_resize": 1}, "do_resize is 1"),
        ({"do_pad": True, "pad_size": 300}, "do_pad is True: padding"),
        ({"size": None}, "size is null"),
        ({"rescale_factor": 10**400}, "rescale_factor is 1000"),
        ({"image_processor_type": "FancyProcessor"}, "'FancyProcessor', which this family does not read"),
        ({"image_processor_type": ["x"]}, "image_processor_type is"),
        ("{", "not valid JSON"),
    ],
)
def test_broken_preprocessors_name_file_and_field(tmp_path, preprocessor, message):
    folder = folder_of(tmp_path, {"model_type": "vit"}, preprocessor)
    with pytest.raises(ConfigError, match=message):
        registry.describe(folder)


def test_a_pipe_as_config_does_not_block(tmp_path):
    import os

    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(ConfigError, match="not a regular file"):
        registry.describe(str(tmp_path))


def test_a_huge_config_is_not_read(tmp_path):
    with open(tmp_path / "config.json", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(ConfigError, match="more than the"):
        registry.describe(str(tmp_path))


# ---------------------------------------------------------------- names that mean nothing


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dinov2-bse", "Did you mean .*dinov2-base"),
        ("qwen2.5-vl-8b", r"Did you mean qwen2\.5-vl-"),
        ("nothing-like-it-at-all", "`vistoken models` lists them"),
        ("google/siglip-base-patch16-225", r"could not be had(.|\n)*Did you mean .*google/siglip-base-patch16-224"),
        ("../outside/folder", "no folder"),
        ("/no/such/folder", "no folder"),
        ("README.md", "is a file"),
    ],
)
def test_unknown_names(name, message, monkeypatch):
    if name.startswith("google/"):
        pytest.importorskip("huggingface_hub")
    monkeypatch.chdir(Path(__file__).parent.parent)
    with pytest.raises(ModelError, match=message):
        registry.describe(name)


@pytest.mark.parametrize("name", ["", "  ", None, 5])
def test_what_is_no_name(name):
    with pytest.raises(UsageError, match="not a model"):
        registry.describe(name)


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        registry.describe(str(tmp_path))


def test_settings_are_the_models_own():
    assert vt.count("qwen2.5-vl", width=1280, height=720, max_pixels=501_760).tokens == 594
    assert (
        vt.count("dinov2-b14", width=640, height=480, do_center_crop=False, size={"shortest_edge": 448}).patches
        == 32 * 42
    )
    with pytest.raises(
        UsageError, match=r"no setting 'max_pixel': it has min_pixels, max_pixels.*Did you mean max_pixels"
    ):
        vt.count("qwen2.5-vl", width=1280, height=720, max_pixel=501_760)
    with pytest.raises(UsageError, match="setting max_pixels is 'many'"):
        vt.count("qwen2.5-vl", width=1280, height=720, max_pixels="many")
    with pytest.raises(UsageError, match="setting max_pixels is null"):
        vt.count("qwen2.5-vl", width=1280, height=720, max_pixels=None)
    with pytest.raises(
        UsageError, match="setting max_pixels is 10: the least number of pixels, 3,136, is above the most, 10"
    ):
        vt.count("qwen2.5-vl", width=1280, height=720, max_pixels=10)


def test_settings_show_in_the_trust():
    evidence = vt.count("qwen2.5-vl", width=5, height=5, max_pixels=501_760).trust.settings.evidence
    assert evidence.endswith("; max_pixels set by the caller")


def test_input_needs_no_preprocessor(tmp_path):
    folder = folder_of(tmp_path, {"model_type": "vit"})
    assert vt.count(folder, width=640, height=480, input="320x160").patches == 200
    assert vt.plan(folder, input="320x160").tokens == 201
    with pytest.raises(UsageError, match=r"no preprocessor_config\.json, so there is no size to set"):
        vt.count(folder, width=640, height=480, size=5)


def test_numpys_integers_and_paths_are_welcome(tmp_path):
    numpy = pytest.importorskip("numpy")
    folder = Path(folder_of(tmp_path, {"model_type": "vit"}, {}))
    assert vt.count(folder, width=numpy.int64(640), height=numpy.uint16(480)).tokens == 197


@pytest.mark.parametrize("input", [(224, 224), 224, 5.0])
def test_a_size_is_no_pair(input):
    for verb in (vt.count, vt.plan):
        with pytest.raises(UsageError, match="write 'WIDTHxHEIGHT'"):
            verb("vit-b16-224", width=5, height=5, input=input)


@pytest.mark.parametrize("image", [5, ["photo.jpg"], object()])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(UsageError, match="give a path, an open file or a PIL image"):
        vt.count("vit-b16-224", image=image)


def test_settings_do_not_stick():
    before = vt.count("siglip2-naflex", width=500, height=400).tokens
    vt.count("siglip2-naflex", width=500, height=400, max_num_patches=1024)
    assert vt.count("siglip2-naflex", width=500, height=400).tokens == before


# ---------------------------------------------------------------- the hub's cache, and other packages


def cache_of(tmp_path, monkeypatch, name, files):
    """The hub's cache layout: snapshots that link into blobs."""
    home = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = home / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (home / "blobs").mkdir()
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("a" * 40)
    for number, (file, content) in enumerate(files.items()):
        blob = home / "blobs" / f"{number:064x}"
        blob.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        (snapshot / file).symlink_to(Path("..") / ".." / "blobs" / blob.name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return snapshot


def test_a_hub_id_is_read_from_the_cache_and_differences_are_told(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    published = PUBLISHED["facebook/dinov2-small"]
    config = published["config.json"]["values"] | {"layer_norm_eps": 1e-5}
    cache_of(tmp_path, monkeypatch, "facebook/dinov2-small",
             {"config.json": config, "preprocessor_config.json": published["preprocessor_config.json"]["values"]})  # fmt: skip
    assert registry.describe("dinov2-s14").encoder.norm.eps == 1e-6
    found = registry.find("dinov2-s14", files=True)
    assert found.spec.encoder.norm.eps == 1e-5
    assert found.spec.notes == (
        "encoder norm: LayerNorm(eps=1e-05) in the files of facebook/dinov2-small, LayerNorm(eps=1e-06) built in",
    )


def test_another_hub_id_is_read_from_the_cache(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    cache_of(
        tmp_path, monkeypatch, "someone/vit", {"config.json": {"model_type": "vit"}, "preprocessor_config.json": {}}
    )
    assert vt.count("someone/vit", width=5, height=5).tokens == 197


OUTSIDE = """
from dataclasses import replace
from vistoken import registry
ours = registry.load("vistoken.families.vit")
model = replace(ours.published[0], names=("acme/vit-nano", "acme-nano"))
FAMILY = replace(ours, name="Acme", model_types=("acme_vit",), published=(model,), examples=(), timm=None)
"""


def outside_package(tmp_path, source, name="acme"):
    """An installed package that registers a family through the entry point group."""
    (tmp_path / f"{name}_family.py").write_text(source)
    info = tmp_path / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[vistoken.families]\n{name} = {name}_family\n")


def command(tmp_path, *arguments):
    code = "import sys; from vistoken.cli import main; main(sys.argv[1:])"
    environment = {
        "PYTHONPATH": f"{tmp_path}:{Path(vt.__file__).parent.parent}",
        "PATH": "/usr/bin",
        "HF_HUB_OFFLINE": "1",
    }
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)


def test_a_family_of_another_package_is_found(tmp_path):
    outside_package(tmp_path, OUTSIDE)
    done = command(tmp_path, "count", "640x480", "-m", "acme-nano", "--json")
    assert json.loads(done.stdout)["model"] == "acme/vit-nano"
    assert json.loads(done.stdout)["tokens"] == 197
    assert "acme/vit-nano" in command(tmp_path, "models").stdout
    folder = tmp_path / "model"
    folder.mkdir()
    folder_of(folder, {"model_type": "acme_vit"}, {})
    assert json.loads(command(tmp_path, "count", "9x9", "-m", str(folder), "--json").stdout)["tokens"] == 197
    assert "acme-nano" in command(tmp_path, "count", "9x9", "-m", "acme-nan").stderr


def test_a_name_claimed_twice_is_refused(tmp_path):
    outside_package(tmp_path, OUTSIDE.replace('"acme-nano"', '"vit-b16-224"'))
    done = command(tmp_path, "models")
    assert done.returncode == 5
    assert re.search(r"acme_family and vistoken\.families\.vit both define 'vit-b16-224'", done.stderr)


def test_a_family_that_cannot_be_imported_is_named(tmp_path):
    outside_package(tmp_path, "raise RuntimeError('boom')")
    done = command(tmp_path, "models")
    assert done.returncode == 5
    assert "acme_family, which another package registers, cannot be imported: RuntimeError('boom')" in done.stderr
    assert command(tmp_path, "count", "9x9", "-m", "clip-b32").returncode == 0


def test_computed_names_are_found(tmp_path):
    """A name that no file holds as text is still found, since all families are looked at before it is called unknown."""
    outside_package(tmp_path, OUTSIDE.replace('"acme-nano"', "f\"acme-{'pico'}\""))
    assert command(tmp_path, "count", "9x9", "-m", "ACME-pico").returncode == 0


def test_a_module_that_is_no_family_is_refused(tmp_path):
    outside_package(tmp_path, "FAMILY = 5")
    done = command(tmp_path, "models")
    assert done.returncode == 5
    assert "acme_family is no family file" in done.stderr
