"""Our counts against the recorded ones: also of the processors that need torchvision, and of videos."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from vistoken import registry
from vistoken.counting import count_views
from vistoken.errors import InputError
from vistoken.geometry import Size
from vistoken.video import Clip, Source

FILE = Path(__file__).parent.parent / "conformance" / "counts.jsonl.gz"
with gzip.open(FILE, "rt", encoding="utf-8") as lines:
    CASES = [json.loads(line) for line in lines]
MODELS = sorted({case["model"] for case in CASES})


def test_there_are_enough():
    assert len(CASES) >= 20_000
    assert sum("refused" in case for case in CASES) < len(CASES) / 10
    assert sum("frames" in case for case in CASES) >= 3000


@pytest.mark.parametrize("model", MODELS)
def test_every_case_of(model):
    different = [case for case in CASES if case["model"] == model and not same(case)]
    assert not different, different[:3]


def test_families_that_cannot_be_judged_here_have_300_sizes_for_each_of_three_settings():
    counted = Counter((case["model"], json.dumps(case.get("settings"))) for case in CASES if "frames" not in case)
    for family in registry.families():
        if family.reference and family.reference.torchvision:
            cases = [number for (model, _), number in counted.items() if model == family.published[0].name]
            assert len(cases) >= 3, family.name
            assert min(cases) >= 300, family.name


def same(case):
    spec = registry.describe(case["model"], settings=case.get("settings"))
    size, film = Size(height=case["height"], width=case["width"]), None
    if "frames" in case:
        source = Source(case["frames"], case["fps"])
        film = source if case["sampled"] else Clip.whole(source)
    try:
        result = count_views(spec, size, film=film)
    except InputError:
        return "refused" in case
    if "refused" in case:
        return False
    grids = [[view.grid.frames, view.grid.rows, view.grid.cols] for view in result.views]
    sizes = [[view.size.width, view.size.height] for view in result.views]
    alike = True
    if "grids" in case:  # some processors do not tell what they look at
        alike = (grids, sizes) == (spread(case["grids"]), spread(case["resized"]))
        alike = alike and result.tiling.patches == case["patches"]
    if "prompt" not in case:
        return alike
    token = (spec.video if film else spec).prompt
    token = token.video_token if film else token.image_token
    written = "".join(token * part if isinstance(part, int) else part for part in case["prompt"])
    if result.cross_tokens is None:  # else the token stands for a picture that is read elsewhere: a marker
        alike = alike and result.image_tokens == case["image_tokens"]
    return alike and result.sequence.render(token) == written


def spread(runs):
    return [item for item, times in runs for _ in range(times)]
