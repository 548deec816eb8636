"""Whole jobs: what a model costs over all pictures of a folder or table, from their sizes alone.

Only what differs is planned: sizes that the view rule cuts alike share one plan, and everything below is a sum over
these plans times how many pictures have them. The order of the pictures decides the packs, as it does in `Encoder`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Any

from vistoken import registry
from vistoken.errors import InputError, ModelError, UsageError, shown
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.model_spec import ModelSpec
from vistoken.packs import PACK_TOKENS, by_shape, packs
from vistoken.padding import Padding, padding
from vistoken.planning.memory import DTYPES, Peak
from vistoken.planning.plans import CONVENTIONS, Plan, plan_views
from vistoken.planning.rows import Operation
from vistoken.planning.tally import Tally
from vistoken.sizes import Sizes
from vistoken.spec import EncoderSpec
from vistoken.views import View

if TYPE_CHECKING:
    from vistoken.planning.hardware import Device
    from vistoken.planning.latency import Latency
    from vistoken.planning.llm import LlmCost, LlmSpec

# Far above any pack that is worth it; a pack is planned view by view.
MAX_PACK_TOKENS = 2**20
# So many packs with most tokens are planned one by one, since mixed sizes take some memory of their own.
PLANNED_PACKS = 16
GRID_BYTES = 24  # three int64 a view, which `encode` writes beside whatever is asked for
OUTPUT_DTYPES = ("float32", "bfloat16")  # that `encode` writes


@frozen
class Packing:
    """Packs of up to `limit` tokens, in the order of the pictures, as `Encoder` makes them; `fullest` tokens in one.

    A picture with more than `limit` tokens is a pack of its own. Nothing is padded: a pack that is not full is shorter.
    """

    limit: int
    count: int
    fullest: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {"limit": self.limit, "count": self.count, "fullest": self.fullest}


@frozen
class Output:
    """What `vistoken encode --what WORD` writes of all pictures: `numbers` of the dtype, and the grids in bytes.

    The header of a `.safetensors` file, some hundred bytes a picture, comes on top.
    """

    what: str
    numbers: int
    grids: int

    def total(self, dtype: str) -> int:
        """Bytes."""
        return self.numbers * DTYPES[dtype] + self.grids


@frozen
class Refused:
    """Pictures of one size that the model's rule refuses."""

    size: Size
    pictures: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"size": str(self.size), "pictures": self.pictures, "reason": self.reason}


@frozen
class Prefill:
    """Multiply-adds of all prompts in the LLM behind, and what the picture with most tokens costs there."""

    macs: Tally
    largest: LlmCost

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {"macs": self.macs.as_dict(), "largest": self.largest.as_dict()}


@frozen(repr=False)
class Job:
    """What a model costs over all pictures, those that it refuses apart.

    Attributes:
        sizes: how many distinct ones there are.
        tokens: in the blocks, of all pictures.
        prompts: how many pictures have each pair of image and marker tokens; empty where there is no LLM.
        operations: of all pictures together.
        peak: live tensors while a pack runs in our encoder, the largest of the fullest packs; None where the memory of
            this encoder has not been measured.
        outputs: what `encode` would write.
    """

    model: str
    encoder: EncoderSpec
    dtype: str
    pictures: int
    sizes: int
    tokens: int
    prompts: tuple[tuple[tuple[int, int], int], ...]
    macs: Tally
    operations: tuple[Operation, ...]
    packs: Packing
    padding: Padding
    peak: Peak | None
    outputs: tuple[Output, ...]
    refused: tuple[Refused, ...]

    def __repr__(self) -> str:
        return (
            f"Job(model={self.model!r}, pictures={self.pictures:,}, tokens={self.tokens:,}, "
            f"macs={self.macs.total:,}, packs={self.packs.count:,})"
        )

    @property
    def image_tokens(self) -> int | None:
        """Positions of an LLM's input that the pictures fill; None where there is no LLM."""
        return sum(image * count for (image, _), count in self.prompts) if self.prompts else None

    @property
    def marker_tokens(self) -> int | None:
        """Special tokens that the processor writes around them; likewise."""
        return sum(markers * count for (_, markers), count in self.prompts) if self.prompts else None

    @property
    def flops(self) -> Tally:
        return Tally(tuple((name, 2 * value) for name, value in self.macs.rows), CONVENTIONS["flops"])

    def latency(self, device: Device, mode: str = "eager") -> Latency:
        """How long the encoder takes for all packs, one after another, on one device; seconds.

        Decoding and writing are not in it. Work adds up picture by picture, and the weights are read once a pack; how
        wide the range is follows from the average pack.
        """
        from vistoken.planning.latency import total_latency

        return total_latency(
            self.operations, device, dtype=self.dtype, mode=mode, pictures=self.pictures, passes=self.packs.count
        )

    def prefill(self, llm: LlmSpec) -> Prefill:
        """What the pictures cost in the LLM, each in a prompt of its own. Raises `UsageError` where there is none."""
        from vistoken.planning.llm import llm_cost

        if not self.prompts:
            raise UsageError(f"{self.model} has no LLM behind it, so its pictures fill no prompt")
        rows: Counter[str] = Counter()
        for (image, markers), count in self.prompts:
            cost = llm_cost(llm, image + markers, image_tokens=image)
            rows.update({name: count * value for name, value in cost.macs.rows})
        image, markers = max((pair for pair, _ in self.prompts), key=sum)
        largest = llm_cost(llm, image + markers, image_tokens=image)
        return Prefill(Tally(tuple(rows.items()), largest.macs.convention), largest)

    def needed(self, device: Device) -> int | None:
        """Bytes that a pack needs there: the peak, and on a GPU the allowance beside live tensors."""
        return self.peak.on(device) if self.peak else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names, `outputs` in bytes."""
        plain = ("model", "dtype", "pictures", "sizes", "tokens", "image_tokens", "marker_tokens")
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: getattr(self, name).as_dict() for name in ("macs", "flops", "packs", "padding")},
            "peak": self.peak.as_dict() if self.peak else None,
            "outputs": {one.what: {dtype: one.total(dtype) for dtype in OUTPUT_DTYPES} for one in self.outputs},
            "refused": [one.as_dict() for one in self.refused],
        }


def plan_job(
    model: str,
    sizes: Iterable[Size],
    *,
    input: str | Size | None = None,
    dtype: str = "float32",
    pack_tokens: int = PACK_TOKENS,
    batch: int | None = None,
    revision: str | None = None,
    **settings: Any,
) -> Job:
    """What `model` costs over all pictures.

    Args:
        model: a built-in name, a hub id, or a folder with `config.json`.
        sizes: of the pictures, in the order in which they are encoded; a `Sizes` holds millions in little memory.
        input: a size (`"WIDTHxHEIGHT"`) that is fed to the encoder directly.
        dtype: of the weights.
        pack_tokens: that go through the encoder at once, as `max_tokens` of `Encoder.encode`.
        batch: pictures of a padded batch that packing is compared with; as many as an average pack holds if not given.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names.

    >>> job = plan_job("siglip2-b16-naflex", [Size(480, 640), Size(640, 480), Size(200, 200)], batch=3)
    >>> job.pictures, job.tokens, job.packs.count, f"{job.padding.wasted_tokens:.1%}"
    (3, 760, 1, '1.0%')

    Raises `InputError` where no picture is left, `UsageError` or `ModelError`.
    """
    if type(pack_tokens) is not int or not 1 <= pack_tokens <= MAX_PACK_TOKENS:
        raise UsageError(
            f"pack_tokens is {shown(pack_tokens)}: it must be a whole number from 1 to {MAX_PACK_TOKENS:,}"
        )
    spec = registry.describe(model, settings=settings, revision=revision, series=False)
    if spec.encoder is None:
        raise ModelError(f"{spec.name} can be counted but not planned: its encoder is not described here")
    given = sizes if isinstance(sizes, Sizes) else Sizes(sizes)
    survey = _Survey(spec, spec.encoder, dtype, None if input is None else Size.of(input))
    survey.look(given)
    if not survey.pictures:
        raise InputError(_nothing(spec.name, survey.refused))
    packing, peak = _packed(survey, given, pack_tokens)
    return survey.job(len(given.distinct) - len(survey.refused), packing, peak, batch)


def _nothing(name: str, refused: Sequence[Refused]) -> str:
    if not refused:
        return f"{name} has no picture to plan for: there is none in the source"
    return f"{name} refuses every picture: {refused[0].reason}"


class _Survey:
    """The distinct sizes as one model sees them: one plan for each way of cutting, and how many pictures have it."""

    def __init__(self, spec: ModelSpec, encoder: EncoderSpec, dtype: str, fed: Size | None) -> None:
        self.spec, self.encoder, self.dtype, self.fed = spec, encoder, dtype, fed
        self.plans: dict[tuple[Grid, ...], Plan] = {}
        self.counts: Counter[tuple[Grid, ...]] = Counter()
        self.prompts: Counter[tuple[int, int]] = Counter()  # pictures by their image and marker tokens
        self.of_size: list[Plan | None] = []  # by the number of the distinct size; None where it is refused
        self.refused: list[Refused] = []

    def look(self, sizes: Sizes) -> None:
        for size, count in sizes.counter.items():
            try:
                self.of_size.append(self._plan(size, count))
            except InputError as error:
                self.refused.append(Refused(size, count, str(error)))
                self.of_size.append(None)

    def _plan(self, size: Size, count: int) -> Plan:
        tiling = self.spec.tiling(size, self.fed)
        if tiling.grids not in self.plans:
            views = self.spec.views(size, self.fed)
            self.plans[tiling.grids] = plan_views(
                self.spec.name, self.encoder, views, dtype=self.dtype, family=self.spec.family
            )
        if self.spec.prompt:
            self.prompts[self.spec.prompt.sequence(tiling, size).counts] += count
        self.counts[tiling.grids] += count
        return self.plans[tiling.grids]

    @property
    def pictures(self) -> int:
        return self.counts.total()

    def sum(self, value: Mapping[tuple[Grid, ...], int]) -> int:
        return sum(value[grids] * count for grids, count in self.counts.items())

    def job(self, sizes: int, packing: Packing, peak: Peak | None, batch: int | None) -> Job:
        tokens = {grids: plan.tokens for grids, plan in self.plans.items()}
        macs = {grids: plan.macs.total for grids, plan in self.plans.items()}
        image = sum(image * count for (image, _), count in self.prompts.items())
        batch = -(-self.pictures // packing.count) if batch is None else batch
        return Job(
            model=self.spec.name, encoder=self.encoder, dtype=self.dtype, pictures=self.pictures, sizes=sizes,
            tokens=self.sum(tokens), prompts=tuple(self.prompts.items()), macs=self._macs(),
            operations=self._operations(), packs=packing,
            padding=padding(self._spread(tokens), self._spread(macs), batch),
            peak=peak, outputs=tuple(self._outputs(image if self.spec.prompt else None)), refused=tuple(self.refused),
        )  # fmt: skip

    def _spread(self, value: Mapping[tuple[Grid, ...], int]) -> Counter[int]:
        """How many pictures have each value."""
        spread: Counter[int] = Counter()
        for grids, count in self.counts.items():
            spread[value[grids]] += count
        return spread

    def _macs(self) -> Tally:
        rows: Counter[str] = Counter()
        for grids, count in self.counts.items():
            rows.update({name: count * value for name, value in self.plans[grids].macs.rows})
        return Tally(tuple(rows.items()), CONVENTIONS["macs"])

    def _operations(self) -> tuple[Operation, ...]:
        """An encoder has the same rows whatever it sees, so they add up one by one."""
        counts = [self.counts[grids] for grids in self.plans]
        return tuple(
            Operation(
                rows[0].part, rows[0].name, rows[0].params,
                *(sum(count * getattr(row, what) for count, row in zip(counts, rows, strict=True))
                  for what in ("macs", "reads", "writes")),
            )
            for rows in zip(*(plan.operations for plan in self.plans.values()), strict=True)
        )  # fmt: skip

    def _outputs(self, image_tokens: int | None) -> Iterable[Output]:
        spec, grids = self.encoder, {kind: len(kind) * GRID_BYTES for kind in self.plans}
        patches = self.sum({kind: sum(grid.patches for grid in kind) for kind in self.plans})
        if spec.pooled_dim is not None:
            yield Output(
                "pooled", self.sum({kind: len(kind) for kind in self.plans}) * spec.pooled_dim, self.sum(grids)
            )
        yield Output("patches", patches * spec.dim, self.sum(grids))
        if spec.connector and image_tokens is not None:
            widths = (connector.width(spec.dim) for connector in (spec.connector, *spec.deepstack))
            yield Output("image_tokens", image_tokens * sum(widths), self.sum(grids))


def _packed(survey: _Survey, sizes: Sizes, limit: int) -> tuple[Packing, Peak | None]:
    """The packs of the pictures that are not refused, and the most memory that the fullest of them take."""
    lengths = [plan.tokens if plan else 0 for plan in survey.of_size]
    fullest, number = list[tuple[int, int, list[int]]](), 0
    for number, pack in enumerate(packs(filter(lengths.__getitem__, sizes.order), lengths.__getitem__, limit), 1):
        keep = heappush if len(fullest) < PLANNED_PACKS else heappushpop
        keep(fullest, (sum(map(lengths.__getitem__, pack)), -number, pack))
    packing = Packing(limit, number, max(fullest)[0])
    if survey.encoder.stem:  # whose memory has not been measured
        return packing, None
    views = {tuple(_views(survey, pack)) for _, _, pack in fullest}
    peaks = (
        plan_views(survey.spec.name, survey.encoder, each, dtype=survey.dtype).memory.inference() for each in views
    )
    return packing, max(peaks, key=lambda peak: peak.total)


def _views(survey: _Survey, pack: Sequence[int]) -> list[View]:
    """The views of a pack in the order in which they stand there."""
    plans = (survey.of_size[number] for number in pack)
    return sorted((view for plan in plans if plan for view in plan.views), key=lambda view: by_shape(view.grid))
