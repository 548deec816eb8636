"""Verdicts on built-in models: how many sizes were compared with the reference, and what differed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import transformers
from transformers.utils.import_utils import is_torchvision_available

from vistoken import registry
from vistoken.errors import ModelError
from vistoken.family import Family, Published
from vistoken.frozen import frozen
from vistoken.judge.compare import Case, Film, films, pictures
from vistoken.judge.reference import Refused
from vistoken.judge.shapes import shapes_only
from vistoken.judge.sizes import films as lengths
from vistoken.judge.sizes import sizes
from vistoken.video import Source

VERSION = f"transformers {transformers.__version__}"


@frozen
class Verdict:
    """On one built-in model.

    `skipped` says why nothing, or not everything, could be compared here; `without` that there is no reference at all.
    """

    model: str
    family: str
    kind: str
    trust: str
    pictures: int
    films: int
    refused: int
    different: tuple[Case, ...]
    skipped: str
    without: str
    cases: tuple[Case, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {name: getattr(self, name) for name in self.__match_args__ if name != "cases"}
        return values | {"different": [str(case) for case in self.different], "holds": self.holds}

    @property
    def holds(self) -> bool:
        """Whether all was compared and nothing differs: what was not compared does not pass."""
        return not self.different and not self.skipped


def quiet() -> None:
    """Keep the reference's hints and progress bars to itself."""
    logging: Any = transformers.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def chosen(names: Iterable[str]) -> Iterator[tuple[Family, Published]]:
    """The models of these names; without names, of every family those that are brought to size differently."""
    names = list(names)
    for name in names:
        found = registry.published(name)
        if found is None:
            raise ModelError(f"{name!r} is no built-in model, so it cannot be verified: `vistoken models` lists them")
        yield found
    if not names:
        for family in registry.families():
            seen = []
            for model in family.published:
                spec = registry.describe(model.name)
                how = (spec.rule, spec.prompt, spec.video)
                if how not in seen:
                    seen.append(how)
                    yield family, model


def verdict(family: Family, model: Published, count: int = 300, pixels: bool = False, keep: bool = False) -> Verdict:
    """Compare one model on `count` seeded sizes for each of its reference's settings, and its videos.

    `pixels` lets the reference compute its pixels too, which takes a hundred times longer; `keep` keeps every case.
    """
    spec = registry.describe(model.name)
    skipped, without, cases, clips = reason(family), "", [], []
    if family.reference is None:
        without = f"no reference in transformers; rule {family.rule}"
    elif not skipped:
        try:
            cases = list(picture_cases(family, model, count, pixels))
            if spec.video and family.reference.video:
                if is_torchvision_available():
                    clips = list(film_cases(family, model, max(1, count // 5)))
                else:
                    skipped = "videos: their processors need torchvision"
        except ModelError as error:
            skipped = str(error)
    both = [*cases, *clips]
    return Verdict(
        model=model.name, family=family.name, kind=spec.known_rule().kind, trust=spec.trust.level, pictures=len(cases),
        films=len(clips), refused=sum(isinstance(case.theirs, Refused) for case in both),
        different=tuple(case for case in both if case.differs), skipped=skipped, without=without,
        cases=tuple(both) if keep else (),
    )  # fmt: skip


def reason(family: Family) -> str:
    """Why a family cannot be compared here; empty if it can."""
    if family.reference and family.reference.torchvision and not is_torchvision_available():
        return "its processors need torchvision"
    return ""


def settings_of(family: Family) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The sets of settings to compare with, each with a seed of its own: the published values first."""
    reference = family.reference
    yield from enumerate(({}, *(reference.settings if reference else ())))


def picture_cases(family: Family, model: Published, count: int = 300, pixels: bool = False) -> Iterator[Case]:
    """Every seeded size under every set of settings; with `pixels` none of sides under four pixels.

    A tenth of such sides is nothing, which Pillow and torchvision do not treat alike.
    """
    thresholds = family.reference.thresholds if family.reference else ()
    for seed, settings in settings_of(family):
        given = [size for size in sizes(count, seed, thresholds) if not pixels or min(size.height, size.width) > 3]
        cases = pictures(family, model, settings, given)
        yield from cases if pixels else _quick(cases)


def film_cases(family: Family, model: Published, count: int = 60) -> Iterator[Case]:
    """Every seeded video under every set of settings: frames as they are and, where the rate is known, sampled."""
    for seed, settings in settings_of(family):
        given = chain.from_iterable(
            [Film(size, Source(frames, fps), sampled) for sampled in ((False, True) if fps else (False,))]
            for size, frames, fps in lengths(count, seed)
        )
        yield from _quick(films(family, model, settings, given))


def _quick(cases: Iterator[Case]) -> Iterator[Case]:
    while True:
        with shapes_only():
            case = next(cases, None)
        if case is None:
            return
        yield case
