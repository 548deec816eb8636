"""Planned multiply-adds of every family that is encoded, to the unit: torch's operator counter on the reference itself.

Small models of transformers run on the CPU, three pictures at once, of two shapes; what of them an encoder of ours
holds is run: the tower, and the connector where there is one. Of timm's networks the counts are kept as data. The
counter gives two FLOPs for a multiply-add, and cannot see inside fused attention: so attention is written out.
"""

import json
from contextlib import contextmanager
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402
from test_moonvit import kimi_vl  # noqa: E402, F401  # a fixture
from test_perception_lm import _of_the_library, config_of, save  # noqa: E402
from test_towers_alone import TOWERS, molmo2_twin  # noqa: E402
from test_vlm_further import blip, git, hunyuan, kosmos2  # noqa: E402
from test_written_back import vendors_folder  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from transformers.models.perception_lm.modeling_perception_lm import PerceptionLMMultiModalProjector  # noqa: E402
from twins import NAMES, twin  # noqa: E402
from vlm_twins import BUILDERS, OwnViews, loose_patches, sized_features, vlm_twin, whole_blocks  # noqa: E402

from vistoken import plan, registry  # noqa: E402
from vistoken.geometry import Grid  # noqa: E402
from vistoken.planning import operations  # noqa: E402

BATCH = 3
PICTURES = ((211, 97), (300, 256))  # width, height
DATA = Path(__file__).parent / "data"
TIMM, TIMM_FIELDS = (json.loads((DATA / f"timm_{name}.json").read_text()) for name in ("macs", "parameters"))

# Encoders that no other library has, with the reason.
NOT_COMPARED = {"front end": "vistoken's own: patches and positions without a model behind them"}


@contextmanager
def written_out(module):
    """Attention as plain products, in every part that can choose; the others find no fused kernel."""
    configs = [
        part.config for part in module.modules() if hasattr(getattr(part, "config", None), "_attn_implementation")
    ]
    before = [(config, config._attn_implementation) for config in configs]
    for config in configs:
        config._attn_implementation = "eager"
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        for config, implementation in before:
            config._attn_implementation = implementation


def counted(module, run):
    """Multiply-adds of `run()`, which calls `module`."""
    frozen = [parameter for parameter in module.parameters() if parameter.requires_grad]
    module.requires_grad_(False)  # the counter would follow gradients, too
    try:
        with written_out(module), torch.no_grad(), FlopCounterMode(display=False) as counter:
            run()
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


# ---------------------------------------------------------------- what the reference does besides
# For one picture, from the encoder and the grids of its views: contractions that a plan leaves out, each on purpose.


def nothing(encoder, grids):
    return 0


def tanh_pooler(encoder, grids):
    """A matrix for the class token, left from pre-training on text: `Encoder` does not build it."""
    return encoder.dim**2


def one_hot_pool(encoder, grids):
    """Blocks of patches are averaged by a product with ones and zeros; to add the patches up takes no product."""
    [average] = [stage for stage in encoder.connector.stages if hasattr(stage, "side")]
    return sum(grid.patches * (grid.patches // average.side**2) * encoder.dim for grid in grids)


def indicators(encoder, grids):
    """Probabilities of the five visual words that stand for no picture, which are always 0, times their vectors."""
    return sum(grid.patches // 4 * 5 * encoder.connector.width(encoder.dim) for grid in grids)


BESIDES = {
    "vit": tanh_pooler,
    "deit": tanh_pooler,
    "gemma4": one_hot_pool,
    "gemma4-plain": one_hot_pool,
    "ovis2": indicators,
}


def besides(name, planned):
    return BATCH * BESIDES.get(name, nothing)(planned.encoder, [view.grid for view in planned.views])


# ---------------------------------------------------------------- encoders of pictures


@pytest.mark.parametrize("name", NAMES)
def test_encoders(name):
    small = twin(name)
    for height, width in ((small.own, small.own), (5 * small.patch, 7 * small.patch)):
        planned = plan(small.folder, input=f"{width}x{height}", batch=BATCH)
        pixels = torch.zeros(BATCH, 3, height, width)
        run = counted(small.module, lambda given=pixels: small.forward(given))
        assert run - besides(name, planned) == planned.macs.total


# ---------------------------------------------------------------- vision-language models


def tripled(inputs):
    return {
        name: torch.cat([value] * BATCH) if isinstance(value, torch.Tensor) else value * BATCH
        for name, value in inputs.items()
        if value is not None
    }


def without_padding(inputs):
    """Of one picture alone; padding has places of -1."""
    seen = inputs["image_position_ids"][0, :, 0] >= 0
    return [tripled({name: value[:, seen] for name, value in inputs.items() if name != "num_soft_tokens_per_image"})]


def view_by_view(inputs):
    """Views of several sizes would be padded to the longest."""
    for number, shape in enumerate(inputs["spatial_shapes"]):
        long = int(shape.prod())
        whole = {name: inputs[name][number, None, :long] for name in ("pixel_values", "pixel_attention_mask")}
        yield tripled(whole | {"spatial_shapes": shape[None]})


CALLS = {
    "gemma4": without_padding,
    "gemma4-plain": without_padding,
    "lfm2-vl": view_by_view,
    "lfm2-vl-bare": view_by_view,
}


def features(small, inputs):
    """What the reference does with three times the picture."""
    if small.features in (sized_features, whole_blocks):  # its attention would span all pictures, masked
        sizes = inputs["image_sizes"]
        return BATCH * counted(
            small.module, lambda: small.module.get_image_features(inputs["pixel_values"], image_sizes=sizes)
        )
    calls = CALLS.get(small.name, lambda inputs: [tripled(inputs)])(inputs)
    return sum(counted(small.module, lambda given=given: small.features(small.module, given)) for given in calls)


@pytest.mark.parametrize("name", BUILDERS)
def test_vision_language_models(name):
    small = vlm_twin(name)
    for size in PICTURES:
        check(name, small.folder, size, features(small, small.inputs(Image.new("RGB", size))))


def family_of(folder):
    return registry.find(str(folder)).family.name


def check(name, folder, size, run):
    planned = plan(str(folder), width=size[0], height=size[1], batch=BATCH)
    assert run - besides(name, planned) == planned.macs.total


VENDORS = "InternVL (vendor's checkpoints)"


def test_families_that_share_a_module(tmp_path, kimi_vl):  # noqa: F811
    """Whose folders say it in other words, or for which the library has only a config."""
    glm = tmp_path / "glm-ga"
    glm.mkdir()
    config = json.loads(Path(vlm_twin("glm-4v").folder, "config.json").read_text())
    (glm / "config.json").write_text(json.dumps(config | {"model_type": "glmga"}))
    vlm_twin("glm-4v").processor.save_pretrained(glm)
    views = OwnViews({}, loose_patches)
    views.folder = str(kimi_vl)
    for base, folder, processor, family in (
        ("glm-4v", glm, vlm_twin("glm-4v").processor, "GLM-GA"),
        ("internvl", vendors_folder("internvl", tmp_path), vlm_twin("internvl").processor, VENDORS),
        ("kimi-k2.5", kimi_vl, views, "Kimi-VL"),
    ):
        assert family_of(folder) == family
        for size in PICTURES:
            inputs = processor(images=[Image.new("RGB", size)], return_tensors="pt")
            check(base, folder, size, features(vlm_twin(base), inputs))


# ---------------------------------------------------------------- towers alone

PLAIN = {"blip": blip, "git": git, "kosmos-2": kosmos2}
OF_ONE_VIEW = {"blip": "BLIP", "git": "GIT", "kosmos-2": "Kosmos-2", "blip-2": "BLIP-2", "blip-2-bare": "BLIP-2",
               "instructblip": "BLIP-2", "idefics": "Idefics"}  # fmt: skip


@pytest.mark.parametrize("name", [*PLAIN, *TOWERS])
def test_towers_of_one_view(name, tmp_path):
    module, tower = _plain(name)
    module.config.save_pretrained(tmp_path)
    assert family_of(tmp_path) == OF_ONE_VIEW[name]
    encoder = registry.describe(str(tmp_path)).encoder
    for rows, cols in ((4, 4), (3, 7)):
        pixels = torch.zeros(BATCH, 3, rows * encoder.patch.height, cols * encoder.patch.width)
        planned = BATCH * sum(step.macs for step in operations(encoder, [Grid(rows, cols)]))
        assert planned == counted(module, lambda given=pixels: tower(given, interpolate_pos_encoding=True))


def _plain(name):
    if name in TOWERS:
        module, _, tower = TOWERS[name]()
        return module, tower
    module, find = PLAIN[name]()
    return module, find(module)


def test_molmo2(tmp_path):
    module, processor = molmo2_twin()
    module.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert family_of(tmp_path) == "Molmo2"
    for size in PICTURES:
        pixels = tripled(processor(images=[Image.new("RGB", size)], return_tensors="pt"))["pixel_values"]
        check("", tmp_path, size, counted(module, lambda given=pixels: module.model.vision_tower(given)))


def test_hunyuan(tmp_path):
    """The reference's tower ends in its merger, which is not encoded: what the LLM gets has newlines in between."""
    module, processor = hunyuan()
    module.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert family_of(tmp_path) == "HunyuanOCR"
    tower = module.model.vision_tower
    for size in PICTURES:
        given = tripled(processor(images=[Image.new("RGB", size)], return_tensors="pt"))
        run = counted(module, lambda given=given: tower(given["pixel_values"], given["image_grid_thw"]))
        [[_, rows, cols]] = given["image_grid_thw"][:1].tolist()
        dim, text, cells = 32, 40, rows // 2 * cols // 2
        # Blocks of 2 x 2 to twice the dim, these to four times, and each, with a newline a row, to the LLM's width.
        merger = cells * (4 * dim * 2 * dim + 2 * dim * 4 * dim) + (cells + rows // 2) * 4 * dim * text
        check("", tmp_path, size, run - BATCH * merger)


def test_pixtrals_tower_alone(tmp_path):
    small = vlm_twin("pixtral")
    tower = small.module.model.vision_tower
    tower.config.save_pretrained(tmp_path)
    small.processor.save_pretrained(tmp_path)
    assert family_of(tmp_path) == "Pixtral"
    for size in PICTURES:
        given = small.inputs(Image.new("RGB", size))
        run = counted(tower, lambda given=given: tower(given["pixel_values"], given["image_sizes"]))
        check("", tmp_path, size, BATCH * run)


# ---------------------------------------------------------------- at full size, on the meta device


@pytest.mark.slow
@pytest.mark.parametrize(("size", "batch"), [("1288x728", 1), ("1288x728", BATCH), ("448x616", BATCH)])
def test_the_published_tower_of_qwen2_5_vl(size, batch):
    """Plain towers of published shapes are in `test_planning`; this one needs its grid to be real."""
    from transformers.models.qwen2_5_vl import configuration_qwen2_5_vl, modeling_qwen2_5_vl

    planned = plan("qwen2.5-vl-7b", input=size, batch=batch)
    [grid] = [view.grid for view in planned.views]
    sizes = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 3584}
    with torch.device("meta"):
        config = configuration_qwen2_5_vl.Qwen2_5_VLVisionConfig(**sizes)
        module = modeling_qwen2_5_vl.Qwen2_5_VisionTransformerPretrainedModel(config)
        pixels = torch.empty(batch * grid.patches, 3 * 2 * 14 * 14)
        places = torch.empty(len(pixels), 2, dtype=torch.int64)
    whole = torch.tensor([[1, grid.rows, grid.cols]] * batch)
    assert planned.macs.total == counted(module, lambda: module(pixels, whole, position_ids=places))


# ---------------------------------------------------------------- timm's networks


@pytest.mark.parametrize("name", TIMM)
def test_networks_of_timm(name, tmp_path):
    """At full size; counted by `make_timm_macs.py`, three pictures at once, at their own size and at another."""
    fields = TIMM_FIELDS[name]
    config = {"architecture": name, "pretrained_cfg": {"input_size": fields["input_size"]}}
    config |= {field: fields[field] for field in ("num_classes", "global_pool")}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for width, height, macs in TIMM[name]:
        assert plan(tmp_path, input=f"{width}x{height}", batch=BATCH).macs.total == macs


def test_every_architecture_of_timm_was_counted():
    assert set(TIMM) == set(TIMM_FIELDS)


def test_perception_lm(tmp_path):
    """Its tower is timm's, and what stands behind it the library's."""
    config = config_of("pe-lang")
    folder = save(config, tmp_path)
    assert family_of(folder) == "PerceptionLM"
    projector = PerceptionLMMultiModalProjector(_of_the_library(config))
    for size in PICTURES:
        planned = plan(folder, width=size[0], height=size[1], batch=BATCH)
        views, [grid] = len(planned.views), {view.grid for view in planned.views}
        seen = torch.zeros(BATCH * views, grid.patches, planned.encoder.dim)
        assert dict(planned.macs.rows)["connector"] == counted(projector, lambda given=seen: projector(given))
    # The same tower, as large as timm has it.
    config["vision_config"]["model_args"] = {"img_size": [448, 448], "global_pool": ""}
    planned = plan(save(config, tmp_path), width=448, height=448, batch=BATCH)
    [[width, height, macs], _] = TIMM[config["vision_config"]["architecture"]]
    assert (width, height) == (448, 448)
    assert planned.macs.total - dict(planned.macs.rows)["connector"] == len(planned.views) * macs


def test_deepseek_vl2():
    """The tower is a copy of timm's SO400M, and its LLM reads every token: nothing is pooled."""
    planned = plan("deepseek-vl2-small", width=1000, height=700, batch=BATCH)
    [[_, _, macs], _] = TIMM["vit_so400m_patch14_siglip_gap_384"]
    assert planned.macs.total == len(planned.views) * macs


# ---------------------------------------------------------------- none is left out

BY_ITSELF = {"HunyuanOCR", "Molmo2", "Pixtral", "PerceptionLM", "DeepSeek-VL2", "GLM-GA", VENDORS, "Kimi-VL"}


def test_every_family_is_compared():
    folders = [twin(name).folder for name in NAMES] + [vlm_twin(name).folder for name in BUILDERS]
    compared = BY_ITSELF | set(OF_ONE_VIEW.values()) | set(map(family_of, folders))
    compared |= {family.name for family in registry.families() if family.timm}
    encoded = {family.name for family in registry.families() if family.weights is not None}
    assert encoded - compared == set(NOT_COMPARED)
    assert compared <= encoded
