"""Broken and hostile model folders, made from a good one, and what the error of each must name.

A case is a function that breaks a copy of a good folder. `World` holds what lies outside of it: a secret that must
never be opened, weights that would fit, and a folder in which payloads leave a canary when they run.
"""

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

SECRET = "swordfish-4711"
WEIGHTS, INDEX, CONFIG, PIXELS = (
    "model.safetensors", "model.safetensors.index.json", "config.json", "preprocessor_config.json",
)  # fmt: skip
SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40}
VIEW = {"image_size": 32, "patch_size": 8}


@dataclass(frozen=True)
class World:
    """Where the cases live."""

    root: Path

    def __post_init__(self):
        for folder in (self.outside, self.canaries):
            folder.mkdir(parents=True)
        secret = {"model_type": SECRET, SECRET: SECRET, "weight_map": {SECRET: SECRET}}
        (self.outside / "secret.json").write_text(json.dumps(secret))
        (self.outside / "secret.txt").write_text(SECRET)
        shutil.copy(self.good("vit") / WEIGHTS, self.outside / WEIGHTS)

    @property
    def outside(self):
        return self.root / "outside"

    @property
    def canaries(self):
        return self.root / "canaries"

    def good(self, kind):
        """A small model as the reference saves it."""
        folder = self.root / "good" / kind
        if not folder.exists():
            torch.manual_seed(0)
            model, processor = GOOD[kind]()
            model.save_pretrained(folder)
            processor.save_pretrained(folder)
            # What the test breaks later lies in files of its own, as most published models have it.
            together = folder / "processor_config.json"
            if together.exists():
                (folder / PIXELS).write_text(json.dumps(json.loads(together.read_text())["image_processor"]))
                together.unlink()
        return folder

    def payload(self, name):
        """Python source that leaves a canary when it runs."""
        return f"open({str(self.canaries / name)!r}, 'w').close()\n"

    def fire(self, name):
        """An object whose unpickling leaves a canary."""
        return Fire(self.canaries / name)


@dataclass(frozen=True)
class Fire:
    path: Path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def _vit():
    return hf.ViTModel(hf.ViTConfig(**VIEW, **SMALL)), hf.ViTImageProcessorPil(size={"height": 32, "width": 32})


def _clip():
    config = hf.CLIPConfig(vision_config=VIEW | SMALL, text_config=SMALL | {"vocab_size": 40}, projection_dim=20)
    return hf.CLIPModel(config), hf.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )


GOOD = {"vit": _vit, "clip": _clip}


@dataclass(frozen=True)
class Case:
    """`says` are words that the error must hold, or empty where the folder must load. `count` tells whether counting,
    which reads no weights, must refuse the folder too."""

    group: str
    name: str
    build: Callable[[World, Path], object]
    says: tuple[str, ...]
    count: bool = False
    kind: str = "vit"

    @property
    def id(self):
        return f"{self.group}: {self.name}"

    def make(self, world, number):
        folder = world.root / "cases" / f"{number:03d}"
        shutil.copytree(world.good(self.kind), folder, symlinks=True)
        moved = self.build(world, folder)
        return moved if isinstance(moved, Path) else folder


CASES: list[Case] = []


def case(group, name, *says, **more):
    """Register the function below as one case."""

    def register(build):
        CASES.append(Case(group, name, build, says, **more))
        return build

    return register


def write(name, content):
    """A case that replaces one file."""
    return lambda _, folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def edit_json(path, **values):
    """Values in place of a file's own; `...` removes one, and a dotted name goes into an object."""
    whole = json.loads(path.read_text())
    for name, value in values.items():
        *parents, leaf = name.split(".")
        target = whole
        for parent in parents:
            target = target[parent]
        if value is ...:
            target.pop(leaf, None)
        else:
            target[leaf] = value
    path.write_text(json.dumps(whole))


def change(name, **values):
    return lambda _, folder: edit_json(folder / name, **values)


# ---------------------------------------------------------------- must load


@case("must load", "plain")
def _(world, folder):
    pass


@case("must load", "plain CLIP", kind="clip")
def _(world, folder):
    pass


@case("must load", "half precision")
def _(world, folder):
    tensors = {name: value.half() for name, value in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS)


@case("must load", "double precision")
def _(world, folder):
    tensors = {name: value.double() for name, value in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS)


@case("must load", "sharded")
def _(world, folder):
    shard(folder)


@case("must load", "keys that nobody reads")
def _(world, folder):
    edit_json(folder / CONFIG, torch_dtype="float32", my_note=["x"], id2label={str(n): "cat" for n in range(1000)})
    edit_json(folder / PIXELS, my_note={"a": None})


@case("must load", "defaults left out")
def _(world, folder):
    edit_json(folder / CONFIG, layer_norm_eps=..., qkv_bias=..., hidden_act=..., num_channels=...)


@case("must load", "cache of the hub")
def _(world, folder):
    return hub_cache(folder)


@case("must load", "cache of the hub, sharded")
def _(world, folder):
    shard(folder)
    return hub_cache(folder)


@case("must load", "link inside the folder")
def _(world, folder):
    (folder / WEIGHTS).rename(folder / "vit.safetensors")
    (folder / WEIGHTS).symlink_to("vit.safetensors")


def shard(folder, count=3):
    """The same weights in `count` files with an index."""
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    files = [f"model-{n + 1:05d}-of-{count:05d}.safetensors" for n in range(count)]
    places = {name: files[number % count] for number, name in enumerate(sorted(tensors))}
    for file in files:
        save_file({name: tensors[name] for name in places if places[name] == file}, folder / file)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def hub_cache(folder):
    """The files moved to blobs/, with links from snapshots/<commit>/."""
    home = folder.with_name(folder.name + "-hub")
    snapshot = home / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (home / "blobs").mkdir()
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(home / "blobs" / f"{number:064x}")
        (snapshot / file.name).symlink_to(f"../../blobs/{number:064x}")
    return snapshot


# ---------------------------------------------------------------- config.json


def config_text(name, content, *says):
    CASES.append(Case("config.json", name, write(CONFIG, content), (CONFIG, *says), count=True))


config_text("empty", "", "not valid JSON")
config_text("not JSON", "hidden_size: 24", "not valid JSON")
config_text("cut", '{"model_type": "vit", "hidden_si', "not valid JSON")
config_text("LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer")
config_text("deep lists", "[" * 100_000 + "]" * 100_000, "too deep")
config_text("deep objects", '{"a":' * 100_000 + "0" + "}" * 100_000, "too deep")
config_text("bushy", '{"model_type": "vit", "x": [' + "{}," * 5_000_000 + "{}]}", "objects and lists")
config_text("nearly as bushy", '{"x": [' + '{"a":[]},' * 480_000 + "{}]}", "model_type")
config_text("15 MB of words", '{"x": [' + '"ab",' * 3_000_000 + '"ab"]}', "model_type")
config_text("integer of 5,000 digits", '{"model_type": "vit", "hidden_size": ' + "9" * 5000 + "}", "digits")
config_text("NaN", '{"model_type": "vit", "layer_norm_eps": NaN}', "NaN")
config_text("minus infinity", '{"model_type": "vit", "layer_norm_eps": -Infinity}', "Infinity")
config_text("a list", "[1, 2]", "list")
config_text("UTF-16", '{"model_type": "vit"}'.encode("utf-16"), "UTF-8")
config_text("latin letters", b'{"model_type": "vit\xe9"}', "UTF-8")
config_text("17 MiB of spaces", b" " * (17 * 2**20), "bytes")


def config_value(field, value, *says, name="", kind="vit"):
    label = name or f"{field} {value!r}"
    CASES.append(Case("config.json", label, change(CONFIG, **{field: value}), (CONFIG, field, *says), True, kind))


for value in (0, -24, True, "24", 24.5, 10**12, None, [24], {"a": 1}):
    config_value("hidden_size", value)
for field, value in (
    ("num_attention_heads", 5), ("num_attention_heads", 0), ("num_hidden_layers", -1), ("num_hidden_layers", 10**9),
    ("num_hidden_layers", 1.5), ("intermediate_size", 0), ("layer_norm_eps", -1), ("layer_norm_eps", "1e-6"),
    ("image_size", 0), ("image_size", 10**9), ("image_size", [32]), ("patch_size", 0), ("patch_size", 10**9),
    ("num_channels", 1), ("qkv_bias", "yes"), ("hidden_act", "__import__('os').system('id')"), ("hidden_act", ["gelu"]),
    ("model_type", ...), ("model_type", None), ("model_type", 5), ("model_type", ["vit"]), ("model_type", "os.path"),
    ("model_type", "../../x"), ("model_type", "resnet"), ("model_type", "\ud800"), ("model_type", "a\nb\x1b[2J"),
):  # fmt: skip
    config_value(field, value)
config_value("model_type", "x" * 10_000_000, name="model_type of 10 MB")
config_value("hidden_act", "x" * 10_000_000, name="hidden_act of 10 MB")
config_value("image_size", 4, "8x8", name="patches larger than the picture")
for field, value in (("vision_config", [1]), ("vision_config.hidden_size", "24"), ("vision_config.hidden_act", 7),
                     ("projection_dim", 0), ("vision_config.num_attention_heads", 7)):  # fmt: skip
    config_value(field, value, kind="clip")


@case("config.json", "missing", CONFIG, count=True)
def _(world, folder):
    (folder / CONFIG).unlink()


@case("config.json", "depth of 1,024 blocks", WEIGHTS, "more")
def _(world, folder):
    edit_json(folder / CONFIG, num_hidden_layers=1024)


@case("config.json", "petabytes", "GiB")
def _(world, folder):
    edit_json(folder / CONFIG, hidden_size=65_536, num_hidden_layers=1024, intermediate_size=1_000_000)


# ---------------------------------------------------------------- preprocessor_config.json


def pixels_value(field, value, *says, name="", kind="vit", count=False):
    label = name or f"{field} {value!r}"
    build = change(PIXELS, **{field: value})
    CASES.append(Case("preprocessor", label, build, (PIXELS, field, *says), count, kind))


for value in ([0, 0.5, 0.5], [0.5, 0.5], [0.5] * 10_000, "0.5", {"a": 1}, ["a", "b", "c"], [True] * 3):
    pixels_value("image_std", value, name=f"image_std {value!r:.30}", count=True)
for field, value in (
    ("image_mean", [0.5] * 4), ("rescale_factor", 0), ("rescale_factor", "1/255"), ("do_rescale", "no"),
    ("size", 0), ("size", {"height": 32}), ("size", {"height": 32, "width": "32"}),
    ("size", {"height": -1, "width": 9}),
    ("size", {"height": 10**6, "width": 10**6}), ("size", {"shortest_edge": 32, "longest_edge": 64}),
    ("size", {"shortest_edge": 10**6}), ("size", [1, 2, 3]), ("size", None), ("resample", 99), ("resample", "bicubic"),
    ("image_processor_type", "subprocess.Popen"), ("image_processor_type", ["ViTImageProcessor"]),
):  # fmt: skip
    pixels_value(field, value, count=True)
pixels_value("image_processor_type", "y" * 10_000_000, name="image_processor_type of 10 MB", count=True)
CASES.append(
    Case("preprocessor", "a crop smaller than a patch", change(PIXELS, crop_size={"height": 4, "width": 4}),
         (PIXELS, "8x8 patch"), True, "clip")
)  # fmt: skip
pixels_value("crop_size", {"height": 10**8, "width": 10**8}, kind="clip", name="an enormous crop", count=True)


@case("preprocessor", "missing", PIXELS)
def _(world, folder):
    (folder / PIXELS).unlink()


CASES.append(Case("preprocessor", "NaN", write(PIXELS, '{"image_mean": [NaN, 0, 0]}'), (PIXELS, "NaN"), True))
CASES.append(
    Case("preprocessor", "infinity", write(PIXELS, '{"image_std": [1e999, 1, 1]}'), (PIXELS, "image_std"), True)
)
CASES.append(Case("preprocessor", "a list", write(PIXELS, "[]"), (PIXELS, "list"), True))
CASES.append(
    Case("preprocessor", "nested, a list", write("processor_config.json", '{"image_processor": [1]}'),
         ("processor_config.json", "image_processor"), True)
)  # fmt: skip

# ---------------------------------------------------------------- remote code


def plant(world, folder, name):
    """Modules that leave a canary when anything imports them."""
    for module in (
        "numpy",
        "torch",
        "PIL",
        "click",
        "safetensors",
        "json",
        "configuration_x",
        "modeling_x",
        "vistoken",
    ):
        (folder / f"{module}.py").write_text(world.payload(f"{name}-{module}"))
    for package in ("torch", "numpy"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(world.payload(f"{name}-{package}-package"))


AUTO = {"AutoConfig": "configuration_x.XConfig", "AutoModel": "modeling_x.XModel", "AutoImageProcessor": "modeling_x.X"}


@case("remote code", "auto_map of an unknown type", CONFIG, "model_type", "x_vit", count=True)
def _(world, folder):
    plant(world, folder, "unknown")
    edit_json(folder / CONFIG, model_type="x_vit", auto_map=AUTO)


@case("remote code", "auto_map to another repository", CONFIG, "model_type", "x_vit", count=True)
def _(world, folder):
    plant(world, folder, "elsewhere")
    edit_json(folder / CONFIG, model_type="x_vit", auto_map={"AutoConfig": "evil/repo--configuration_x.XConfig"})


@case("remote code", "auto_map beside a known type")
def _(world, folder):
    plant(world, folder, "known")
    edit_json(folder / CONFIG, auto_map=AUTO, trust_remote_code=True)


@case("remote code", "auto_map of the processor", PIXELS, "image_processor_type", count=True)
def _(world, folder):
    plant(world, folder, "processor")
    edit_json(folder / PIXELS, auto_map=AUTO, image_processor_type="modeling_x.X")


@case("remote code", "auto_map in processor_config.json")
def _(world, folder):
    plant(world, folder, "together")
    (folder / "processor_config.json").write_text(json.dumps({"auto_map": AUTO, "processor_class": "XProcessor"}))


# ---------------------------------------------------------------- pickles


@case("pickle", "pytorch_model.bin", "pytorch_model.bin", "pickle")
def _(world, folder):
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(world.fire("bin")))


@case("pickle", "pytorch_model.bin, zipped", "pytorch_model.bin", "pickle")
def _(world, folder):
    (folder / WEIGHTS).unlink()
    torch.save({"x": world.fire("zip")}, folder / "pytorch_model.bin")


@case("pickle", "renamed", WEIGHTS, "valid safetensors")
def _(world, folder):
    (folder / WEIGHTS).write_bytes(pickle.dumps(world.fire("renamed")))


@case("pickle", "renamed, zipped", WEIGHTS, "valid safetensors")
def _(world, folder):
    torch.save({"x": world.fire("renamed-zip")}, folder / "x.bin")
    (folder / "x.bin").rename(folder / WEIGHTS)


@case("pickle", "inside an .npz", WEIGHTS)
def _(world, folder):
    (folder / WEIGHTS).unlink()
    np.savez(folder / "model.npz", x=np.array([world.fire("npz")], dtype=object))


@case("pickle", "beside a good file")
def _(world, folder):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(world.fire("beside")))


# ---------------------------------------------------------------- the safetensors container


def parts(path):
    """The header and the bytes behind it."""
    content = path.read_bytes()
    [length] = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header, body, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def container(name, remake, *says):
    """A case that makes new content from the header and the body of the good file."""

    def build(world, folder):
        path = folder / WEIGHTS
        content = remake(*parts(path))
        path.write_bytes(content)

    CASES.append(Case("container", name, build, (WEIGHTS, *says)))


def with_entry(**values):
    """The first tensor's entry with other values."""

    def remake(header, body):
        first = min((name for name in header if name != "__metadata__"), key=lambda n: header[n]["data_offsets"])
        return joined({**header, first: {**header[first], **values}}, body)

    return remake


def _twice(header, body):
    text = json.dumps(header)
    name = next(name for name in header if name != "__metadata__")
    return joined((text[:-1] + f", {json.dumps(name)}: {json.dumps(header[name])}}}").encode(), body)


def _hole(header, body):
    moved = {
        name: entry if name == "__metadata__" else {**entry, "data_offsets": [n + 64 for n in entry["data_offsets"]]}
        for name, entry in header.items()
    }
    return joined(moved, bytes(64) + body)


def _overlap(header, body):
    names = [name for name in header if name != "__metadata__" and header[name]["shape"] == [24]]
    return joined({**header, names[0]: header[names[1]]}, body)


container("empty", lambda header, body: b"")
container("four bytes", lambda header, body: b"\0\0\0\0")
container("length 0", lambda header, body: joined(b"", body))
container("LFS pointer", lambda header, body: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS")
container("length 2^60", lambda header, body: joined(header, body, 2**60))
container("length 2^64 - 1", lambda header, body: joined(header, body, 2**64 - 1))
container("length beyond the file", lambda header, body: joined(header, b"", 10_000_000))
container("header not JSON", lambda header, body: joined(b"{]", body))
container("header a list", lambda header, body: joined(b"[1]", body))
container("header not UTF-8", lambda header, body: joined(b'{"\xff\xfe": 1}', body))
container("header deep", lambda header, body: joined(b'{"a":' * 100_000 + b"0" + b"}" * 100_000, body))
container("header with an entry of text", lambda header, body: joined({"a": "x" * 1_000_000}, body))
container("unknown type", with_entry(dtype="F31"), "F31")
container("type of 1 MB", with_entry(dtype="F" * 1_000_000))
container("shape negative", with_entry(shape=[-1, 24]))
container("shape that overflows", with_entry(shape=[2**40, 2**40]))
container("shape larger than its bytes", with_entry(shape=[1, 1, 25]))
container("offsets negative", with_entry(data_offsets=[-4, 92]))
container("offsets past the end", with_entry(data_offsets=[0, 2**40]))
container("offsets reversed", with_entry(data_offsets=[96, 0]))
container("no offsets", lambda header, body: joined({"a": {"dtype": "F32", "shape": [1]}}, body))
container("hole", _hole)
container("overlap", _overlap)
container("a name twice", _twice)
container("tail", lambda header, body: joined(header, body + b"tail"))
container("cut", lambda header, body: joined(header, body[:-100]))
container("metadata not text", lambda header, body: joined({**header, "__metadata__": {"a": 5}}, body))
container(
    "header of 40 MB", lambda header, body: joined(json.dumps(header).encode() + b" " * 40_000_000, body), "header"
)


def _many(count, value):
    """The inside of a JSON object with `count` names."""
    return ",".join(f'"{number:x}":"{value}"' for number in range(count)).encode()


container("header of 7 MB of metadata",
          lambda header, body: joined(b'{"__metadata__":{' + _many(600_000, "") + b"}}", b""),
          "missing", "more")  # fmt: skip

# ---------------------------------------------------------------- weights that do not fit


def weights(name, edit, *says):
    def build(world, folder):
        tensors = load_file(folder / WEIGHTS)
        edit(tensors)
        save_file(tensors, folder / WEIGHTS)

    CASES.append(Case("weights", name, build, (WEIGHTS, *says)))


QUERY, UP, NORM = (
    "encoder.layer.0.attention.attention.query.weight", "encoder.layer.0.intermediate.dense.weight", "layernorm.weight",
)  # fmt: skip
weights("missing", lambda t: t.pop(NORM), "missing", NORM)
weights("unknown", lambda t: t.update(extra=torch.zeros(3)), "unknown", "extra")
weights("transposed", lambda t: t.update({UP: torch.zeros(24, 40)}), UP, "(24, 40)")
weights("broadcastable", lambda t: t.update({NORM: torch.ones(1)}), NORM, "(1,)")
weights("a row too many", lambda t: t.update({QUERY: torch.zeros(25, 24)}), QUERY, "(25, 24)")
weights("an axis too many", lambda t: t.update({QUERY: torch.zeros(24, 24, 1)}), QUERY)
weights("NaN", lambda t: t[UP].fill_(float("nan")), UP, "not finite")
weights("infinite", lambda t: t[UP][3].fill_(float("inf")), UP, "not finite")
weights("too large for float32", lambda t: t.update({UP: torch.full((40, 24), 1e300, dtype=torch.float64)}), UP)
weights("integers", lambda t: t.update({NORM: torch.ones(24, dtype=torch.int32)}), NORM, "I32")
weights("8-bit floats", lambda t: t.update({UP: t[UP].to(torch.float8_e4m3fn)}), UP, "F8_E4M3")
weights("all zero", lambda t: [tensor.zero_() for tensor in t.values()], WEIGHTS, "zero")
weights("a tensor under two names", lambda t: t.update({f"vit.{NORM}": t[NORM].clone()}), NORM, "the same as")
weights("a name with line breaks", lambda t: t.update({"a\nb\x1b[2J": torch.zeros(1)}), "unknown", r"a\nb\x1b[2J")
weights("a name of 1 MB", lambda t: t.update({"n" * 1_000_000: torch.zeros(1)}), "unknown", "nnn")
weights("blocks numbered oddly",
        lambda t: t.update({"encoder.layer.007.layernorm_before.bias": t["layernorm.bias"].clone()}),
        "unknown", "layer.007")  # fmt: skip


def _crowd(header, body):
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return joined(header | {f"stranger.{number}": empty for number in range(100_000)}, body)


def _many_axes(header, body):
    return joined({**header, "layernorm.weight": {**header["layernorm.weight"], "shape": [1] * 1_000_000 + [24]}}, body)


container("100,000 unknown tensors", _crowd, "unknown", "stranger.", "more")
container("a million axes", _many_axes, "layernorm.weight", "axes")

# ---------------------------------------------------------------- the index


def indexed(name, edit, *says):
    """A case that breaks the index of a sharded folder; `edit` gets the map, the world and the folder."""

    def build(world, folder):
        shard(folder)
        index = json.loads((folder / INDEX).read_text())
        changed = edit(index["weight_map"], world, folder)
        (folder / INDEX).write_text(json.dumps(index if changed is None else changed))

    CASES.append(Case("index", name, build, says))


def _to(target):
    """All names that the first shard holds lead to `target` instead."""

    def edit(places, world, folder):
        first = min(places.values())
        path = target(world, folder) if callable(target) else target
        places.update({name: path for name, file in places.items() if file == first})

    return edit


def _fitting(world, folder):
    """The first shard itself, moved out of the folder."""
    first = min(folder.glob("model-*.safetensors"))
    first.rename(world.outside / f"{folder.name}.safetensors")
    return f"../../outside/{folder.name}.safetensors"


indexed("upwards", _to("../../outside/model.safetensors"), INDEX, "../../outside/model.safetensors")
indexed("to a secret", _to("../../outside/secret.txt"), INDEX)
indexed("absolute", _to(lambda world, folder: str(world.outside / WEIGHTS)), INDEX)
indexed("to a fitting file outside", _to(_fitting), INDEX)
indexed("a pickle", _to("pytorch_model.bin"), INDEX, "pytorch_model.bin")
indexed("missing shard", _to("model-00009-of-00003.safetensors"), "model-00009-of-00003.safetensors", "missing")
indexed("a number", _to(5), INDEX, "weight_map")
indexed("a zero byte", _to("x\0.safetensors"), INDEX)
indexed("a name of 1 MB", _to("x" * 1_000_000 + ".safetensors"), INDEX)
indexed("200,000 shards",
        lambda places, world, folder: places.update({f"x.{n}": f"{n}.safetensors" for n in range(200_000)}),
        INDEX, "1,000")  # fmt: skip
indexed("of 33 MB", lambda places, world, folder: {"weight_map": {"x": "x" * 34_000_000}}, INDEX, "bytes")
indexed("no weight_map", lambda places, world, folder: {"metadata": {}}, INDEX, "weight_map")
indexed("an empty weight_map", lambda places, world, folder: {"weight_map": {}}, INDEX, "weight_map")
indexed("a list", lambda places, world, folder: [1], INDEX, "list")


@case("index", "of 600,000 tensors", "a.safetensors")
def _(world, folder):
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_bytes(b'{"weight_map":{' + _many(600_000, "a.safetensors") + b"}}")


@case("index", "a tensor in another shard than it says", INDEX, NORM)
def _(world, folder):
    shard(folder)
    places = json.loads((folder / INDEX).read_text())["weight_map"]
    other = next(file for file in sorted(set(places.values())) if file != places[NORM])
    (folder / INDEX).write_text(json.dumps({"weight_map": places | {NORM: other}}))


@case("index", "a link to a fitting file outside", "leaves the folder")
def _(world, folder):
    shard(folder)
    first = min(folder.glob("model-*.safetensors"))
    first.rename(world.outside / f"{folder.name}.safetensors")
    first.symlink_to(world.outside / f"{folder.name}.safetensors")


# ---------------------------------------------------------------- the file system


def on_disk(name, file, place, *says, count=False):
    """A case in which `place(path, world)` puts something else where `file` was."""

    def build(world, folder):
        (folder / file).unlink(missing_ok=True)
        place(folder / file, world)

    CASES.append(Case("file system", f"{file} {name}", build, (file, *says), count))


def _sparse(size):
    def place(path, world):
        with open(path, "wb") as file:
            file.truncate(size)

    return place


for file in (CONFIG, PIXELS, "processor_config.json", WEIGHTS, INDEX):
    named = file not in (WEIGHTS, INDEX)
    secret = "secret.json" if file != WEIGHTS else "secret.txt"

    def place(path, world, secret=secret):
        if path.name == INDEX:
            (path.parent / WEIGHTS).unlink()
        path.symlink_to(world.outside / secret)

    on_disk("a link to a secret", file, place, "leaves the folder", count=named)

for file in (CONFIG, WEIGHTS):
    named = file == CONFIG
    on_disk("a link out, relative", file, lambda path, world: path.symlink_to(Path("../../outside/secret.json")),
            "leaves the folder", count=named)  # fmt: skip
    on_disk("a link to itself", file, lambda path, world: path.symlink_to(path.name), count=named)
    on_disk("a link to nothing", file, lambda path, world: path.symlink_to("nowhere"), count=named)
    on_disk("a link to /dev/zero", file, lambda path, world: path.symlink_to("/dev/zero"), count=named)
    on_disk("a pipe", file, lambda path, world: os.mkfifo(path), "regular file", count=named)
    on_disk("a folder", file, lambda path, world: path.mkdir(), "regular file", count=named)
    on_disk("1 GiB of nothing", file, _sparse(2**30), count=named)
    on_disk("1 TiB of nothing", file, _sparse(2**40), count=named)


@case("file system", "model.safetensors with a header of 1 TiB of nothing", WEIGHTS, "header")
def _(world, folder):
    with open(folder / WEIGHTS, "wb") as file:
        file.write(struct.pack("<Q", 2**40 - 8))
        file.truncate(2**40)


@case("file system", "a good header and a tensor of 1 TiB of nothing", "stranger")
def _(world, folder):
    header, body = parts(folder / WEIGHTS)
    end = len(body)
    header["stranger"] = {"dtype": "F32", "shape": [2**38], "data_offsets": [end, end + 2**40]}
    with open(folder / WEIGHTS, "wb") as file:
        file.write(joined(header, body))
        file.truncate(file.tell() + 2**40)


@case("file system", "a false cache of the hub", CONFIG, "leaves the folder", count=True)
def _(world, folder):
    """A folder `blobs` two levels up is the hub's only beside `snapshots`."""
    home = folder.with_name(folder.name + "-false")
    inner = home / "models" / "x"
    (home / "blobs").mkdir(parents=True)
    (folder / CONFIG).rename(home / "blobs" / "config")
    shutil.copytree(folder, inner)
    (inner / CONFIG).symlink_to("../../blobs/config")
    return inner
