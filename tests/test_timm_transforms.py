"""How timm prepares pictures, pixel for pixel, and the values of its built-in models: see `make_timm_transforms.py`."""

import json

import pytest

np = pytest.importorskip("numpy")

from timm_transforms import BUILT_IN, CASES, PIXELS, VALUES, pictures  # noqa: E402

from vistoken import registry  # noqa: E402
from vistoken.pixels import carry_out, size_of  # noqa: E402

PUBLISHED = json.loads(VALUES.read_text())
ENTRIES = {model.name: model for family in registry.families() for model in family.published}


def described(folder, **trained):
    config = {"architecture": "eva02_tiny_patch14_224", "num_classes": 0, "pretrained_cfg": trained}
    (folder / "config.json").write_text(json.dumps(config))
    return registry.describe(str(folder))


@pytest.mark.parametrize("number", range(len(CASES)))
@pytest.mark.parametrize("name", pictures())
def test_views_equal_timms_pixel_for_pixel(name, number, tmp_path):
    share, mode, interpolation, height, width = CASES[number]
    spec = described(tmp_path, input_size=[3, height, width], crop_pct=share, crop_mode=mode,
                     interpolation=interpolation)  # fmt: skip
    picture = pictures()[name]
    [view] = spec.rule.views(size_of(picture))
    assert (view.grid.rows, view.grid.cols) == (height // 14, width // 14)
    with np.load(PIXELS) as file:
        wanted = file[f"{name}|{number}"]
    assert np.array_equal(np.asarray(carry_out(picture, view)).transpose(2, 0, 1), wanted)


def test_every_model_that_timm_publishes_is_built_in():
    assert {name for name in ENTRIES if name.removeprefix("timm/").startswith(BUILT_IN)} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_built_in_models_read_as_timms_own_values(name, tmp_path):
    values, spec = PUBLISHED[name], registry.describe(name)
    architecture = name.removeprefix("timm/").partition(".")[0]
    config = {"architecture": architecture, "num_classes": values["num_classes"], "pretrained_cfg": values}
    (tmp_path / "config.json").write_text(json.dumps(config))
    theirs = registry.describe(str(tmp_path))
    assert (spec.rule, spec.pixels, spec.encoder) == (theirs.rule, theirs.pixels, theirs.encoder)
