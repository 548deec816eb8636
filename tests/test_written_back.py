"""Weights written back under their published names equal the file; and the vendors' own names of InternVL."""

import json
import re
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from evidence import agree  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from test_vlm import PICTURES  # noqa: E402
from twins import NAMES, twin  # noqa: E402
from vlm_twins import BUILDERS, vlm_twin  # noqa: E402

from vistoken import count, registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.encoding.matching import find_weight  # noqa: E402
from vistoken.errors import ConfigError, VistokenError  # noqa: E402
from vistoken.weight_names import (  # noqa: E402
    AsIs,
    Cell,
    CellRows,
    ChannelsLast,
    DropOnes,
    Flattened,
    Ignore,
    Item,
    LastRowFirst,
    NoKeys,
    Paired,
    PairedQk,
    Part,
    PlusOne,
    Row,
    SwappedHalves,
    Table,
    Transposed,
)

# Where a file's head holds our dimension j of each quarter (first of the row's pairs, of the column's; seconds of the
# row's, of the column's), for a quarter of q dimensions.
PLACES = {
    "axes": lambda j, q: (2 * q + j, j, 3 * q + j, q + j),
    "rows first": lambda j, q: (2 * j, 2 * q + 2 * j, 2 * j + 1, 2 * q + 2 * j + 1),
    "cols first": lambda j, q: (2 * q + 2 * j, 2 * j, 2 * q + 2 * j + 1, 2 * j + 1),
    "alternating": lambda j, q: (4 * j + 2, 4 * j, 4 * j + 3, 4 * j + 1),
}


def unpaired(ours, pairs, head_dim):
    """Rows of every head in the file's order of rotary pairs."""
    if pairs == "half":
        return ours
    theirs, q = torch.empty_like(ours).unflatten(0, (-1, head_dim)), head_dim // 4
    for j in range(q):
        for quarter, place in enumerate(PLACES[pairs](j, q)):
            theirs[:, place] = ours.unflatten(0, (-1, head_dim))[:, quarter * q + j]
    return theirs.flatten(0, 1)


def back(ours, step, head_dim):
    """What the file must hold where `ours` was filled from it: the step backwards, written on its own."""
    match step:
        case AsIs() | DropOnes() | Row() | Item() | Flattened() | CellRows() | NoKeys():
            return ours
        case Part(index, of, pairs, span):
            rows = len(ours) // of
            return unpaired(ours[index * rows : (index + span) * rows], pairs, head_dim)
        case Paired(pairs):
            return unpaired(ours, pairs, head_dim)
        case PairedQk(pairs):
            q, k, v = ours.chunk(3)
            return torch.cat([unpaired(q, pairs, head_dim), unpaired(k, pairs, head_dim), v])
        case Transposed() | Table():
            return ours.T
        case LastRowFirst():
            return torch.cat([ours[1:], ours[:1]])
        case SwappedHalves():
            middle = len(ours) // 2
            return torch.cat([ours[middle:], ours[:middle]])
        case PlusOne():
            return ours - 1
        case Cell(row, col):
            return ours[row, col]
        case ChannelsLast():
            return ours.permute(0, 2, 3, 1).flatten(1)
    raise AssertionError(step)


def used(tensor, step):
    """The part of a file's tensor that one step takes."""
    match step:
        case Item(index):
            return tensor[index]
        case Table(unused):
            return tensor[:-unused]
        case NoKeys():
            q, _, v = tensor.chunk(3)
            return torch.cat([q, v])
    return tensor


def check_written_back(folder, name="model.safetensors"):
    """Every tensor that is used, written back, equals the file's; and every parameter was filled from some."""
    encoder = Encoder.from_pretrained(folder)
    parameters = encoder.module.state_dict()
    names = registry.find(folder).family.weight_names()
    seen = set()
    for tensor_name, tensor in load_file(f"{folder}/{name}").items():
        if not tensor.numel():
            continue
        weights = find_weight(tensor_name, names, parameters)
        assert weights, tensor_name
        for weight in () if isinstance(weights, Ignore) else weights:
            stored = used(tensor, weight.step)
            theirs = back(parameters[weight.ours], weight.step, encoder.module.spec.head_dim).reshape(stored.shape)
            # 1 + w rounds; everything else is the same bits.
            assert torch.allclose(theirs, stored, rtol=0, atol=1e-6 if isinstance(weight.step, PlusOne) else 0), (
                tensor_name
            )
            seen.add(weight.ours)
    assert seen == set(parameters)


@pytest.mark.parametrize("name", [*NAMES, *BUILDERS])
def test_weights_written_back_equal_the_file(name):
    check_written_back((twin if name in NAMES else vlm_twin)(name).folder)


# ---------------------------------------------------------------- InternVL in the vendor's words

VENDOR = {  # of transformers' script convert_internvl_weights_to_hf.py, the other way round
    r"^vision_tower": "vision_model",
    r"encoder\.layer\.": "encoder.layers.",
    r"cls_token": "class_embedding",
    r"position_embeddings": "position_embedding",
    r"patch_embeddings\.projection": "patch_embedding",
    r"lambda_": "ls",
    r"attention\.projection_layer": "attn.proj",
    r"attention\.": "attn.",
    r"layernorm_before": "norm1",
    r"layernorm_after": "norm2",
    r"^multi_modal_projector\.layer_norm": "mlp1.0",
    r"^multi_modal_projector\.linear_1": "mlp1.1",
    r"^multi_modal_projector\.linear_2": "mlp1.3",
}


def vendors(tensors):
    renamed, tensors = {}, {name: tensor for name, tensor in tensors.items() if not name.startswith("language")}
    for name in [name for name in tensors if ".q_proj." in name]:
        parts = [tensors.pop(name.replace("q_proj", f"{part}_proj")) for part in "qkv"]
        tensors[name.replace("q_proj", "qkv")] = torch.cat(parts)
    for name, tensor in tensors.items():
        for pattern, new in VENDOR.items():
            name = re.sub(pattern, new, name)
        renamed[name] = tensor
    return renamed


def vendors_folder(name, tmp_path, **values):
    source, folder = vlm_twin(name).folder, tmp_path / "vendor"
    folder.mkdir()
    config = json.loads((Path(source) / "config.json").read_text())
    vision = config["vision_config"]
    vision = vision | {"qkv_bias": vision["attention_bias"], "qk_normalization": vision["use_qk_norm"],
                       "model_type": "intern_vit_6b", "image_size": 56, "patch_size": 14}  # fmt: skip
    config = {"model_type": "internvl_chat", "vision_config": vision, "llm_config": {"hidden_size": 40},
              "force_image_size": 56, "downsample_ratio": 0.5, "dynamic_image_size": True, "use_thumbnail": True,
              "min_dynamic_patch": 1, "max_dynamic_patch": 6, "select_layer": -1, "ps_version": "v2"}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config | values))
    save_file(vendors(load_file(f"{source}/model.safetensors")), folder / "model.safetensors")
    return str(folder)


@pytest.mark.parametrize("name", ["internvl", "internvl-6b"])
def test_the_vendors_checkpoint_gives_the_references_image_tokens(name, tmp_path):
    import transformers as hf

    folder, module = vendors_folder(name, tmp_path), vlm_twin(name).module
    processor = hf.GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, max_patches=6, crop_to_patches=True,
                                            image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])  # fmt: skip
    for picture, result in zip(PICTURES, Encoder.from_pretrained(folder).encode(PICTURES), strict=True):
        pixels = processor(images=[picture], return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            wanted = module.get_image_features(pixels).pooler_output.flatten(0, 1)
        agree(folder, "image tokens", result.image_tokens, wanted, picture.size, form="OpenGVLab")
        counted = count(folder, width=picture.width, height=picture.height)
        assert (counted.patches, counted.image_tokens) == (len(result.patches), len(result.image_tokens))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ps_version": "v1"}, "ps_version is 'v1'"),
        ({"select_layer": 4}, "select_layer is 4: it must name one hidden state from -4 to 3"),
        ({"llm_config": {}}, r"llm_config\.hidden_size is missing"),
        ({"downsample_ratio": 0.4}, "downsample_ratio is 0.4: it must be 1 divided by a whole number"),
    ],
)
def test_what_the_vendor_never_published_is_refused(values, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        Encoder.from_pretrained(vendors_folder("internvl", tmp_path, **values))


# ---------------------------------------------------------------- values that the readers refuse, or complete


def edited(name, tmp_path, edit):
    folder = Path(shutil.copytree(vlm_twin(name).folder, tmp_path / name))
    config = json.loads((folder / "config.json").read_text())
    edit(config)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("internvl", lambda c: c.update(vision_feature_select_strategy="full"), "drops the class token"),
        ("internvl", lambda c: c.update(vision_feature_layer=[1, 2]), "must name one hidden state"),
        ("internvl-6b", lambda c: c["vision_config"].update(use_mean_pooling=False), "no published tower with RMS"),
        (
            "pixtral",
            lambda c: c.update(vision_feature_select_strategy="default"),
            "no class token that could be dropped",
        ),
        ("pixtral", lambda c: c.update(vision_feature_layer=-9), "it must name one hidden state from -4 to 3"),
        (
            "pixtral",
            lambda c: c["vision_config"].update(head_dim=24),
            "head_dim is 24: it must be hidden_size / heads, which is 16",
        ),
        ("mistral3", lambda c: c.update(vision_feature_layer=[0, 1]), "must name one hidden state from -4 to 3"),
        ("mistral3", lambda c: c["text_config"].update(model_type="new", rms_norm_eps=None), "rms_norm_eps is null"),
    ],
)
def test_what_cannot_be_is_refused(name, edit, message, tmp_path):
    with pytest.raises(VistokenError, match=message):
        Encoder.from_pretrained(edited(name, tmp_path, edit))


def test_the_llms_width_is_its_classs_where_the_file_leaves_it_out(tmp_path):
    spec = registry.find(edited("pixtral", tmp_path, lambda config: config["text_config"].pop("hidden_size"))).spec
    assert spec.encoder.connector.width(32) == 4096


def test_without_a_text_config_mistral_3_has_its_own(tmp_path):
    import transformers as hf

    text = hf.Mistral3Config().text_config
    connector = registry.find(
        edited("mistral3", tmp_path, lambda config: config.pop("text_config"))
    ).spec.encoder.connector
    assert (connector.width(32), connector.stages[0].norm.eps) == (text.hidden_size, text.rms_norm_eps) == (5120, 1e-5)


@pytest.mark.parametrize("field", [{"rope_theta": 500.0}, {"rope_parameters": {"rope_theta": 500.0}}])
def test_the_rotary_base_stands_under_two_names(field, tmp_path):
    def edit(config):
        config["vision_config"].pop("rope_parameters")
        config["vision_config"].update(field)

    assert registry.find(edited("pixtral", tmp_path, edit)).spec.encoder.rotary.base == 500.0


def test_pixtrals_tower_alone(tmp_path):
    """`PixtralVisionModel` saved by itself, with no LLM: patches, and no image tokens."""
    import transformers as hf

    tower, theirs = vlm_twin("pixtral").module.model.vision_tower, vlm_twin("pixtral").processor
    tower.save_pretrained(tmp_path)
    theirs.save_pretrained(tmp_path)
    assert isinstance(tower, hf.PixtralVisionModel)
    encoder = Encoder.from_pretrained(str(tmp_path))
    for picture, result in zip(PICTURES, encoder.encode(PICTURES), strict=True):
        inputs = theirs(images=[picture], return_tensors="pt")
        with torch.no_grad():
            wanted = tower(inputs["pixel_values"], inputs["image_sizes"]).last_hidden_state[0]
        agree(str(tmp_path), "tokens", result.patches, wanted, picture.size)


def test_glm_gas_tower_is_glm_4vs(tmp_path):
    """The library has no model class of it: its config holds GLM-4V's vision config."""
    twin = vlm_twin("glm-4v")
    folder = Path(shutil.copytree(twin.folder, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "glmga"}
    (folder / "config.json").write_text(json.dumps(config))
    for picture, result in zip(PICTURES, Encoder.from_pretrained(str(folder)).encode(PICTURES), strict=True):
        with torch.no_grad():
            wanted = twin.features(twin.module, twin.inputs(picture))
        agree(str(folder), "image tokens", result.image_tokens, wanted, picture.size, against="GLM-4V's tower")
