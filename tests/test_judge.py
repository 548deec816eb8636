"""Every family against the processors of transformers: views, and the text written for the picture, size by size."""

import pytest

pytest.importorskip("transformers")

from transformers.utils.import_utils import is_torchvision_available

from vistoken import registry
from vistoken.judge.compare import pictures
from vistoken.judge.reference import Refused
from vistoken.judge.shapes import shapes_only
from vistoken.judge.sizes import sizes

FAMILIES = {family.name: family for family in registry.families() if family.reference}
HERE = [name for name, family in FAMILIES.items() if is_torchvision_available() or not family.reference.torchvision]


@pytest.mark.parametrize("name", HERE)
def test_every_size_as_the_reference_does(name):
    family, model = FAMILIES[name], FAMILIES[name].published[0]
    with shapes_only():
        for seed, settings in enumerate(({}, *family.reference.settings)):
            cases = list(pictures(family, model, settings, sizes(300, seed, family.reference.thresholds)))
            different = [case for case in cases if case.differs]
            assert not different, f"{len(different)} differ\n" + "\n".join(map(str, different[:5]))
            assert sum(not isinstance(case.theirs, Refused) for case in cases) >= 200


@pytest.mark.parametrize("name", HERE)
def test_there_are_three_settings(name):
    assert len(FAMILIES[name].reference.settings) >= 2, "the published values and two more sets"
