"""Counting documents: page by page, and in all."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from vistoken import registry
from vistoken.counting.tokens import TokenCount, count_views
from vistoken.documents import DPI, Pages, read_pages
from vistoken.errors import UsageError, VistokenError, shown
from vistoken.geometry import Size
from vistoken.model_spec import LEVELS, Label, Level, ModelSpec, Trust
from vistoken.sources import shown_name

EXPLAINED = 3  # sizes of pages whose steps are shown


@dataclass(frozen=True, slots=True)
class Run:
    """Pages that follow one another and have one size: numbers `first` to `last`, of `tokens` each."""

    first: int
    last: int
    size: Size
    tokens: int

    @property
    def total(self) -> int:
        return self.tokens * (self.last - self.first + 1)

    def __str__(self) -> str:
        return f"{self.first:,}" if self.first == self.last else f"{self.first:,}-{self.last:,}"


@dataclass(frozen=True, slots=True, repr=False)
class DocumentCount:
    """How many tokens the pages of a document become.

    `spec` is the model with its rule for pages, and `basis` says how it is known that pages come to it so. `each` are
    the tokens of a page of every distinct size, in the order of `pages.sizes.distinct`.
    """

    spec: ModelSpec
    pages: Pages
    each: Sequence[int]
    basis: Label

    def __repr__(self) -> str:
        return f"DocumentCount(model={self.model!r}, {self.pages.unit}s={len(self)}, tokens={self.tokens})"

    def __len__(self) -> int:
        return len(self.pages.numbers)

    @property
    def model(self) -> str:
        return self.spec.name

    @property
    def tokens(self) -> int:
        """Of all counted pages; text is not among them."""
        return sum(self.each[kind] for kind in self.pages.sizes.order)

    @property
    def rows(self) -> tuple[tuple[str, int], ...]:
        """Each page with its tokens; they sum up to `tokens`."""
        pages = zip(self.pages.numbers, self.pages.sizes.order, strict=True)
        return tuple((f"{self.pages.unit} {number}", self.each[kind]) for number, kind in pages)

    def runs(self) -> Iterator[Run]:
        """The same, shorter: pages in a row that have the same size."""
        place, numbers, sizes = 0, self.pages.numbers, self.pages.sizes
        pairs = enumerate(zip(numbers, sizes.order, strict=True))
        for (_, kind), alike in groupby(pairs, lambda pair: (pair[1][0] - pair[0], pair[1][1])):  # no gap, one size
            pages = sum(1 for _ in alike)
            first = numbers[place]
            place += pages
            yield Run(first, first + pages - 1, sizes.distinct[kind], self.each[kind])

    def page(self, number: int) -> TokenCount:
        """The count of the page of this number, with its views and steps. Raises `UsageError` if it was not counted."""
        pages = self.pages
        if number not in pages.numbers:
            raise UsageError(f"{shown_name(pages.name)}: {pages.unit} {shown(number)} was not counted")
        return count_views(self.spec, pages.sizes.distinct[pages.sizes.order[pages.numbers.index(number)]])

    @property
    def level(self) -> Level:
        """How far the count can be trusted: the lowest of three labels."""
        return min(self.basis.level, self.spec.trust.level, key=LEVELS.index)

    @property
    def trust(self) -> Trust:
        return self.spec.trust

    def explain(self) -> str:
        """Of the first few sizes every step; then the sum over all pages."""
        pages, sizes = self.pages, self.pages.sizes.distinct
        at = "" if pages.dpi is None else f", {pages.dpi:g} dots per inch"
        more = len(sizes) - EXPLAINED
        alike = pages.sizes.counter
        terms = [f"{alike[size]:,} x {tokens:,}" for size, tokens in zip(sizes, self.each, strict=True)]
        lines = [
            f"{pages.name}: {pages.kind}, {len(self):,} of {pages.total:,} {pages.unit}s{at}",
            f"  {pages.unit}s: {self.basis}",
            *(count_views(self.spec, size).explain() for size in sizes[:EXPLAINED]),
            *([f"and {more:,} more size{'s' * (more > 1)}"] if more > 0 else ()),
            f"sum over {pages.unit}s: {_short(terms)} = {self.tokens:,} tokens",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        pages, trust, sizes = self.pages, self.trust, self.pages.sizes.distinct
        return {
            "model": self.model,
            "kind": pages.kind,
            "total": pages.total,
            "dpi": pages.dpi,
            "tokens": self.tokens,
            f"{pages.unit}s": [
                {"number": number, "width": sizes[kind].width, "height": sizes[kind].height, "tokens": self.each[kind]}
                for number, kind in zip(pages.numbers, pages.sizes.order, strict=True)
            ],
            "trust": {"level": self.level, "basis": str(self.basis), "rule": str(trust.rule),
                      "settings": str(trust.settings)},
            "notes": list(self.spec.notes),
        }  # fmt: skip


def _short(terms: Sequence[str], most: int = 8) -> str:
    return " + ".join(terms if len(terms) <= most else (*terms[: most - 1], "...", terms[-1]))


def count_document(
    model: str,
    path: str | os.PathLike[str],
    *,
    pages: str | None = None,
    dpi: float = DPI,
    all_frames: bool = False,
    images_in_prompt: int | None = None,
    revision: str | None = None,
    **settings: Any,
) -> DocumentCount:
    """Count the visual tokens that `model` makes of the pages of a document; nothing is rendered.

    Where the vendor's own rule for PDFs is known (Gemini, Claude, OpenAI) it is used; every other model is assumed to
    get pages as pictures of `dpi` dots per inch. Text that lies in the pages is not counted.

    Args:
        model: a built-in name or alias, a hub id, or a folder with `config.json`.
        path: a PDF (extra `pdf`), a TIFF, or with `all_frames` an animated GIF, PNG, WebP or AVIF.
        pages: numbers and ranges, such as `"1-5,9"` or `"7-"`; all where None is given.
        dpi: of a PDF: dots per inch at which its pages are rendered. 200 is the default of pdf2image.
        all_frames: count an animation frame by frame. Otherwise it is one picture, its first frame.
        images_in_prompt: pictures that share the prompt, which some rules ask: the pages counted, where None is given.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names.

    >>> report = count_document("gemini-3-pro", "examples/report.pdf", pages="1-2")  # doctest: +SKIP
    >>> report.rows, report.tokens  # doctest: +SKIP
    ((('page 1', 560), ('page 2', 560)), 1120)

    Raises `UsageError`, `InputError` (a page that cannot be counted among them), `ModelError`, `MissingExtra`.
    """
    spec = registry.describe(model, settings=settings, revision=revision)
    found = read_pages(path, pages=pages, dpi=dpi, all_frames=all_frames)
    return count_pages(spec, found, images_in_prompt)


def count_pages(spec: ModelSpec, pages: Pages, images_in_prompt: int | None = None) -> DocumentCount:
    """The count for a model that is already described.

    Raises what `count` raises for a size, with the page's number.
    """
    spec, basis = _for_pages(spec, pages)
    spec = spec.among(max(1, len(pages.numbers)) if images_in_prompt is None else images_in_prompt)
    each = array("Q")
    for kind, size in enumerate(pages.sizes.distinct):
        try:
            each.append(count_views(spec, size).tokens)
        except VistokenError as error:
            number = pages.numbers[pages.sizes.order.index(kind)]
            raise type(error)(f"{pages.unit} {number}: {error}") from None
    return DocumentCount(spec, pages, each, basis)


def _for_pages(spec: ModelSpec, pages: Pages) -> tuple[ModelSpec, Label]:
    """The model with its vendor's rule for pages of a PDF, or with that for pictures; and how either is known."""
    if pages.dpi is None:
        return spec, Label("assumed", f"each {pages.unit} is given to the model as a picture")
    if spec.pages is None:
        return spec, Label("assumed", f"pages are given to the model as pictures of {pages.dpi:g} dots per inch")
    own = spec.pages
    trust = Trust(own.label, spec.trust.settings)
    notes = spec.notes + own.notes
    return replace(spec, rule=own.rule, prompt=own.prompt, crowds=(), trust=trust, notes=notes), own.label
