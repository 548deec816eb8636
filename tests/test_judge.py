"""Every family against the processors of transformers: views, and the text written for the picture, size by size."""

import pytest

pytest.importorskip("transformers")

from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
from transformers.utils.import_utils import is_torchvision_available

from vistoken import registry
from vistoken.judge.reference import Refused
from vistoken.judge.verify import picture_cases
from vistoken.unread import UNREAD

FAMILIES = {family.name: family for family in registry.families()}
HERE = [
    name
    for name, family in FAMILIES.items()
    if family.reference and (is_torchvision_available() or not family.reference.torchvision)
]


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("count", [80, pytest.param(300, marks=pytest.mark.slow)])
def test_every_size_as_the_reference_does(name, count):
    family = FAMILIES[name]
    cases = list(picture_cases(family, family.published[0], count))
    different = [case for case in cases if case.differs]
    assert not different, f"{len(different)} differ\n" + "\n".join(map(str, different[:5]))
    assert len(cases) >= 3 * count
    assert sum(not isinstance(case.theirs, Refused) for case in cases) >= 2 * count


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("count", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_leaving_out_the_pixels_hides_nothing(name, count):
    """The same comparison with the reference's pixels computed, on a few sizes; on more of them in `make test-slow`."""
    family = FAMILIES[name]
    cases = list(picture_cases(family, family.published[0], count=count, pixels=True))
    assert not [case for case in cases if case.differs]


def test_every_model_type_is_read_or_has_a_reason():
    known = {word for family in FAMILIES.values() for word in family.model_types}
    types = set(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
    assert not types - known - set(UNREAD), "new model types: read them, or give the reason in unread.py"
    assert not known & set(UNREAD)
    assert set(UNREAD) <= set(CONFIG_MAPPING_NAMES), "reasons for model types that are no more"
    assert len(types & known) >= 85
