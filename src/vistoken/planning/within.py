"""The inverse of a plan: what fits a budget. The largest picture, the largest batch, how many pictures in a prompt.

Every size of the aspect ratio is looked at, from the largest down, since view rules are not monotonic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from vistoken import registry
from vistoken.counting.search import MOST, last_that, most_images, sizes_below
from vistoken.errors import InputError, ModelError, NothingFits, UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.model_spec import ModelSpec
from vistoken.planning.budgets import Budget, Quantity, parse_budgets
from vistoken.planning.llm import LlmSpec, cache_width
from vistoken.planning.memory import DTYPES
from vistoken.planning.plans import Plan, plan_views
from vistoken.views.rule import Tiling

# What a plan costs: bytes at the peak, or seconds. It must not fall as the plan's batch grows.
Forecast = Callable[[Plan], float]

# Where no size is given: a square larger than any published model takes in without shrinking it.
LARGEST = Size(8192, 8192)
# Longest side that is searched from, since every size below is looked at.
MAX_LONG_SIDE = 16_384


@frozen
class Within:
    """What fits, and what it uses.

    `image` is the largest size that fits, of the aspect ratio of `bound` and not above it; `gap` the largest smaller
    one that does not fit or that the rule refuses, None where there is none. `batch` is the largest number of pictures
    of that size at once (None where no budget depends on it), `images` how many of them fit into one prompt (None
    without an LLM); both end at 65,536. `uses` tells what such a picture takes of each budget, in the batch that was
    asked for.
    """

    model: str
    budgets: tuple[Budget, ...]
    bound: Size
    image: Size
    gap: Size | None
    batch: int | None
    images: int | None
    uses: tuple[tuple[Budget, float], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: tokens, bytes and seconds; sizes as WIDTHxHEIGHT."""
        return {
            "model": self.model,
            "budgets": {budget.quantity: budget.limit for budget in self.budgets},
            "uses": {budget.quantity: value for budget, value in self.uses},
            "bound": str(self.bound),
            "image": str(self.image),
            "gap": str(self.gap) if self.gap else None,
            "batch": self.batch,
            "images": self.images,
        }


def plan_within(
    model: str,
    budgets: str,
    *,
    width: int | None = None,
    height: int | None = None,
    batch: int = 1,
    dtype: str = "float32",
    llm: LlmSpec | str | None = None,
    kv_dtype: str = "bfloat16",
    memory: Forecast | None = None,
    latency: Forecast | None = None,
    revision: str | None = None,
    **settings: Any,
) -> Within:
    """The largest picture, the largest batch and the most pictures of a prompt that stay within `budgets`.

    Args:
        model: a built-in name, a hub id, or a folder with `config.json`.
        budgets: upper limits, as "memory<=24GB, latency<=50ms, tokens<=1024, kv<=1GiB"; `tokens` are those of one
            prompt, `kv` the cache of all prompts of the batch.
        width: of the largest picture to think of; its aspect ratio is kept. A square of 8,192 pixels if not given.
        height: likewise.
        batch: how many pictures, or prompts, at once the picture must fit for.
        dtype: of the encoder's weights.
        llm: the language model behind, or its name; its context is then a budget too. For `kv` it is found by itself
            where it is known.
        kv_dtype: of its cache.
        memory: bytes at the peak of a `Plan`; it must not fall as the batch grows. Needed for a budget of memory.
        latency: seconds, likewise.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names.

    >>> result = plan_within("qwen2.5-vl-7b", "tokens<=1024", width=1280, height=720)
    >>> str(result.image), result.images
    ('1190x669', 1)

    Raises `NothingFits` (exit code 3) that says by how much; `UsageError`, `ModelError` or `InputError`.
    """
    limits, forecasts = parse_budgets(budgets), {"memory": memory, "latency": latency}
    asked, bound = {budget.quantity for budget in limits}, _bound(width, height)
    _check(asked, forecasts, batch, dtype, kv_dtype)
    spec = registry.describe(model, settings=settings, revision=revision, series=not asked & set(forecasts))
    behind = _llm(model, llm, revision, "kv" in asked)
    if behind is not None:
        limits = (*limits, Budget("context", behind.context))
    ordered = tuple(sorted(limits, key=lambda budget: budget.quantity in forecasts))  # the cheap ones first
    return _Search(spec, ordered, batch, dtype, behind, kv_dtype, forecasts).answer(bound)


def _llm(model: str, llm: LlmSpec | str | None, revision: str | None, needed: bool) -> LlmSpec | None:
    if isinstance(llm, LlmSpec) or (llm is None and not needed):
        return llm
    from vistoken.planning.llm_table import find_llm, llm_of  # read where they are needed

    return llm_of(model, revision=revision) if llm is None else find_llm(llm)


def _check(
    asked: set[Quantity], forecasts: Mapping[str, Forecast | None], batch: int, dtype: str, kv_dtype: str
) -> None:
    for name, forecast in forecasts.items():
        if name in asked and forecast is None:
            raise UsageError(f"a budget of {name} needs its forecast: hand in {name}=, a function of a Plan")
    if type(batch) is not int or not 1 <= batch <= MOST:
        raise UsageError(f"batch is {shown(batch)}: it must be a whole number from 1 to {MOST:,}")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise UsageError(
            f"dtype {shown(dtype)} is unknown: known are {', '.join(DTYPES)}.{did_you_mean(dtype, DTYPES)}"
        )
    cache_width(kv_dtype)


def _bound(width: int | None, height: int | None) -> Size:
    if (width is None) != (height is None):
        raise UsageError("give both width and height, or neither for a square")
    size = LARGEST if width is None or height is None else Size(height=height, width=width)
    if max(size.width, size.height) > MAX_LONG_SIDE:
        raise UsageError(f"{size}: the longer side to search from must be at most {MAX_LONG_SIDE:,} pixels")
    return size


@frozen
class _Search:
    """What is asked of one model. `seen` remembers forecasts, which follow from the grids of a plan's views."""

    spec: ModelSpec
    budgets: tuple[Budget, ...]
    batch: int
    dtype: str
    llm: LlmSpec | None
    kv_dtype: str
    forecasts: Mapping[str, Forecast | None]
    seen: dict[tuple[str, tuple[Grid, ...], int], float] = field(default_factory=dict)

    def answer(self, bound: Size) -> Within:
        sizes = sizes_below(bound)
        image = next((size for size in sizes if self.fits(size)), None)
        if image is None:
            raise self.refusal(bound)
        gap = next((size for size in sizes if not self.fits(size)), None)
        return Within(
            model=self.spec.name,
            budgets=self.budgets,
            bound=bound,
            image=image,
            gap=gap,
            batch=self.largest_batch(image),
            images=most_images(self.spec, lambda n: self.fits(image, images=n)) if self.spec.prompt else None,
            uses=tuple(self.uses(image, self.batch, 1)),
        )

    def fits(self, size: Size, batch: int | None = None, images: int = 1) -> bool:
        """Whether all budgets hold; a size that the rule refuses does not fit."""
        try:
            return all(budget.allows(value) for budget, value in self.uses(size, batch or self.batch, images))
        except InputError:
            return False

    def largest_batch(self, size: Size) -> int | None:
        if all(budget.quantity in ("tokens", "context") for budget in self.budgets):
            return None
        return last_that(lambda n: self.fits(size, batch=n), self.batch, MOST)

    def uses(self, size: Size, batch: int, images: int) -> Iterator[tuple[Budget, float]]:
        """What `batch` prompts of `images` pictures take of each budget, cheap ones first."""
        spec = self.spec.among(images)
        tiling = spec.tiling(size)
        tokens = images * _tokens(spec, tiling, size)
        for budget in self.budgets:
            if budget.quantity in ("tokens", "context"):
                yield budget, tokens
            elif budget.quantity == "kv":
                assert self.llm is not None
                yield budget, batch * self.llm.kv_bytes(tokens, self.kv_dtype)
            else:
                yield budget, self.forecast(budget.quantity, spec, size, tiling, batch * images)

    def forecast(self, name: str, spec: ModelSpec, size: Size, tiling: Tiling, pictures: int) -> float:
        key, ask = (name, tiling.grids, pictures), self.forecasts[name]
        if key not in self.seen:
            assert ask is not None
            if spec.encoder is None:
                raise ModelError(f"{spec.name} can be counted but not planned: leave out budgets of {name}")
            plan = plan_views(spec.name, spec.encoder, spec.views(size), dtype=self.dtype)
            self.seen[key] = ask(replace(plan, batch=pictures))
        return self.seen[key]

    def refusal(self, bound: Size) -> NothingFits | InputError:
        """The size that comes nearest to the budgets, and by how much it misses them."""
        nearest: tuple[float, Size, str] | None = None
        refused: InputError | None = None
        for size in sizes_below(bound):
            try:
                uses = list(self.uses(size, self.batch, 1))
            except InputError as error:
                refused = refused or error
                continue
            over = max(value / budget.limit for budget, value in uses)
            if nearest is None or over < nearest[0]:
                text = "; ".join(filter(None, (budget.excess(value) for budget, value in uses)))
                nearest = (over, size, text)
        if nearest is None:
            assert refused is not None
            return refused
        asked = ", ".join(map(str, self.budgets))
        return NothingFits(
            f"no picture of {self.spec.name} fits {asked}, up to {bound}: {nearest[1]} comes nearest, {nearest[2]}"
        )


def _tokens(spec: ModelSpec, tiling: Tiling, size: Size) -> int:
    return spec.prompt.length(tiling, size) if spec.prompt else tiling.patches + spec.prefix_tokens * tiling.segments
