"""Plans: parameters, multiply-adds, FLOPs and weight memory of a model at a size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from vistoken import registry
from vistoken.errors import ModelError, UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.model_spec import ModelSpec
from vistoken.planning.memory import DTYPES, FUSED, WEIGHT_ONLY, WEIGHTS, Engine, Memory, engine
from vistoken.planning.operations import Operation, operations
from vistoken.planning.tally import Tally as Tally
from vistoken.spec import ClassPool, ClassToken, EncoderSpec, LayerNorm, LearnedTable, PlainMlp, TableResize
from vistoken.views import Native, View

if TYPE_CHECKING:
    from vistoken.planning.hardware import Device, Mode
    from vistoken.planning.latency import Latency
    from vistoken.video import Clip

MAX_COUNT = 10**9

# What is counted as a multiply-add.
Convention = Literal["contractions", "timm"]

CONVENTIONS = {
    "params": "what Encoder builds: pooling head, projection and a stored mask token included",
    "macs": "multiply-adds of every contraction; biases, norms, softmax and activations are left out",
    "flops": "two for each multiply-add",
    "memory": WEIGHTS,
}
# Source: `norm_flops`. timm prints these sums as GMACs (`results/` of huggingface/pytorch-image-models).
MACS_OF_TIMM = "as timm's tables: multiply-adds of every contraction, plus 5 for every element of a layer or group norm"


@frozen(repr=False)
class Plan:
    """What a model costs at a size. `operations` are for one picture or video; the tallies are for `batch` of them.

    `frames` are those of a video that are looked at. `family` tells whose code in other libraries it is; None for bare
    geometry. `attention`, `device` and `mode` are what `memory` and `latency` are asked for, `convention` what `macs`
    and `flops` count.
    """

    model: str
    encoder: EncoderSpec
    size: Size
    views: tuple[View, ...]
    batch: int
    dtype: str
    operations: tuple[Operation, ...]
    family: str | None = None
    frames: int | None = None
    attention: Engine = FUSED
    device: Device | None = None
    mode: Mode = "eager"
    convention: Convention = "contractions"

    def __repr__(self) -> str:
        return (
            f"Plan(model={self.model!r}, size={self.size}, batch={self.batch}, tokens={self.tokens}, "
            f"params={self.params.total:,}, macs={self.macs.total:,})"
        )

    @property
    def tokens(self) -> int:
        """Tokens that the blocks work on, for one picture or video."""
        return sum(self.encoder.tokens(view.grid) for view in self.views)

    @property
    def params(self) -> Tally:
        return _tally(((step.part, step.params) for step in self.operations), CONVENTIONS["params"])

    @property
    def macs(self) -> Tally:
        """Multiply-adds by part, as `convention` counts them."""
        timm = self.convention == "timm"
        costs = ((step, self.batch * (step.macs + timm * step.norm_flops)) for step in self.operations)
        rows = ((_cost_name(step), cost) for step, cost in costs if cost)
        return _tally(rows, MACS_OF_TIMM if timm else CONVENTIONS["macs"])

    @property
    def flops(self) -> Tally:
        return Tally(tuple((name, 2 * value) for name, value in self.macs.rows), CONVENTIONS["flops"])

    @property
    def memory(self) -> Memory:
        """Bytes of the weights by part, and on demand the peak of inference and of training."""
        return Memory(self)

    @property
    def latency(self) -> Latency:
        """How long the batch takes on the plan's device, as a range. Raises `UsageError` where none was given."""
        from vistoken.planning.latency import latency

        if self.device is None:
            raise UsageError("latency is that of a device: plan with device=, for example device='l4'")
        return latency(self.operations, self.device, dtype=self.dtype, batch=self.batch, mode=self.mode)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {
            "model": self.model,
            "width": self.size.width,
            "height": self.size.height,
            "frames": self.frames,
            "batch": self.batch,
            "dtype": self.dtype,
            "tokens": self.tokens,
            **{name: getattr(self, name).as_dict() for name in CONVENTIONS},
        }


def _tally(rows: Iterable[tuple[str, int]], convention: str) -> Tally:
    merged: dict[str, int] = {}
    for part, value in rows:
        merged[part] = merged.get(part, 0) + value
    return Tally(tuple(merged.items()), convention)


def _cost_name(step: Operation) -> str:
    """Blocks are where the cost is, so their rows stay apart: projections, attention, MLP."""
    return f"blocks, {step.name}" if step.part == "blocks" else step.part


def plan(
    model: str | EncoderSpec,
    *,
    width: int | None = None, height: int | None = None, input: str | Size | None = None,
    frames: int | None = None, duration: float | None = None, fps: float | None = None,
    batch: int = 1, dtype: str = "float32", head: int = 0, merge_tokens: int = 0,
    attention: str = FUSED, device: str | None = None, mode: str = "eager", convention: str = "contractions",
    revision: str | None = None,
    **settings: Any,
) -> Plan:  # fmt: skip
    """What `model` costs for pictures, or videos, of a size.

    Args:
        model: a built-in name, a hub id, a folder with `config.json`, or an `EncoderSpec` of your own.
        width: of the picture in pixels, before the model's own resizing; the model's own size where none is given.
        height: likewise.
        input: a size (`"WIDTHxHEIGHT"`) that is fed to the encoder directly.
        frames: of a video, that are looked at: the caller has chosen them.
        duration: of a video, in seconds; then the model's own rule chooses the frames.
        fps: frames a second of the video itself, with `duration`.
        batch: how many pictures or videos.
        dtype: of the weights: float32, bfloat16, float16 or float64; or int8 or int4, the matrices of the blocks packed
            and everything else bfloat16.
        head: the number of classes of a linear classifier to add.
        merge_tokens: how many tokens a frame are joined to similar ones in every block (ToMe), at most.
        attention: "fused", or "eager", which writes all scores out; `memory` depends on it.
        device: that `latency` is asked for, by the name that `vistoken.planning.hardware` or a device file has.
        mode: "eager", or "compiled" by torch.compile; `latency` depends on it.
        convention: what `macs` counts: "contractions", or "timm" for the sums that timm publishes as GMACs.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names.

    >>> result = plan("vit-b16-224", head=1000)
    >>> result.params.total, result.macs.total
    (86567656, 17563828224)
    >>> plan("qwen2.5-vl-7b", width=1280, height=720, frames=8).tokens  # frames in pairs
    19136

    Raises `UsageError`, `ModelError` or `InputError` with what would work.
    """
    size, fed = _size(width, height), None if input is None else Size.of(input)
    counted: dict[str, Any] = {"batch": batch, "dtype": dtype, "head": head, "merge_tokens": merge_tokens}
    asked = _asked(attention, device, mode, convention)
    if isinstance(model, EncoderSpec):
        _check_bare(revision=revision, frames=frames, duration=duration, fps=fps, **settings)
        views = Native(size or _table_size(model), "bicubic", model.patch).views(fed or size or _table_size(model))
        return replace(plan_views("bare geometry", model, views, **counted), **asked)
    spec = registry.describe(model, settings=settings, revision=revision, series=False)
    clip = _clip(spec, fed, frames, duration, fps)
    encoder, views = _encoder(spec, clip), _views(spec, size, fed, clip)
    made = plan_views(spec.name, encoder, views, **counted, family=spec.family)
    return replace(made, frames=clip.frames if clip else None, **asked)


def plan_views(
    name: str,
    encoder: EncoderSpec,
    views: tuple[View, ...],
    *,
    batch: int = 1,
    dtype: str = "float32",
    head: int = 0,
    merge_tokens: int = 0,
    family: str | None = None,
) -> Plan:
    """The plan for views that are already decided."""
    check_dtype(dtype)
    for what, value, low in (("batch", batch, 1), ("head", head, 0)):
        if type(value) is not int or not low <= value <= MAX_COUNT:
            raise UsageError(f"{what} is {value!r}: it must be a whole number from {low} to {MAX_COUNT:,}")
    encoder.check_merge(merge_tokens)
    if merge_tokens and encoder.connector:
        raise UsageError(f"merge_tokens leaves no image tokens for the LLM of {name}: plan it without")
    steps = operations(encoder, [view.grid for view in views], head, merge_tokens)
    return Plan(name, encoder, views[0].source, views, batch, dtype, steps, family)


def check_dtype(dtype: object) -> None:
    """Raises `UsageError` for a dtype that weights cannot have."""
    known = (*DTYPES, *WEIGHT_ONLY)
    if not isinstance(dtype, str) or dtype not in known:
        raise UsageError(f"dtype {dtype!r} is unknown: known are {', '.join(known)}.{did_you_mean(dtype, known)}")


def bare_encoder(*, patch: Patch, dim: int, depth: int, heads: int, table: Size, mlp: int | None = None) -> EncoderSpec:
    """A plain ViT from bare geometry: class token, learned table for pictures of size `table`, MLP of 4 x dim.

    >>> spec = bare_encoder(patch=Patch.square(16), dim=768, depth=12, heads=12, table=Size(224, 224))
    >>> plan(spec).params.total
    85798656

    Raises `UsageError` for geometry that cannot be.
    """
    grid = patch.grid(table)
    if not grid.patches:
        raise UsageError(f"{table} holds no {patch} patch: give a larger size or a smaller patch")
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=depth,
        heads=heads,
        norm=LayerNorm(1e-6),
        mlp=PlainMlp(4 * dim if mlp is None else mlp, "gelu"),
        prefix=(ClassToken(),),
        position=LearnedTable(grid.rows, grid.cols, prefix_rows=1, resize=TableResize("bicubic", antialias=False)),
        pool=ClassPool(),
    )


def _size(width: int | None, height: int | None) -> Size | None:
    if (width is None) != (height is None):
        raise UsageError("give both width and height, or neither for the model's own size")
    return None if width is None or height is None else Size(height=height, width=width)


def _encoder(spec: ModelSpec, clip: Clip | None) -> EncoderSpec:
    encoder = spec.encoder if clip is None else spec.video_encoder()
    if encoder is None:
        raise ModelError(f"{spec.name} can be counted but not planned: its encoder is not described here")
    return encoder


def _check_bare(**given: object) -> None:
    if what := ", ".join(name for name, value in given.items() if value is not None):
        raise UsageError(f"bare geometry has no files and no preprocessor, so {what} has no meaning")


def _asked(attention: str, device: str | None, mode: str, convention: str) -> dict[str, Any]:
    """What memory and latency are asked for, and what counts as a multiply-add, checked."""
    known = get_args(Convention)
    if convention not in known:
        hint = did_you_mean(convention, known)
        raise UsageError(f"convention {shown(convention)} is unknown: known are {', '.join(known)}.{hint}")
    asked: dict[str, Any] = {"attention": engine(attention), "convention": convention}
    if device is None:
        if mode != "eager":
            raise UsageError("mode goes with device: it is how latency is planned there")
        return asked
    from vistoken.planning import hardware

    return {**asked, "device": hardware.device(device), "mode": hardware.known_mode(mode)}


def _clip(
    spec: ModelSpec, input: Size | None, frames: int | None, duration: float | None, fps: float | None
) -> Clip | None:
    """The frames that are looked at, None for a picture.

    Raises `UsageError` where the encoder of videos is not that of pictures.
    """
    if frames is None and duration is None and fps is None:
        return None
    from vistoken.counting.tokens import chosen, video

    film = video(frames, duration, fps)
    assert film is not None
    if input is not None:
        raise UsageError("input is for pictures: leave it out for a video")
    if not spec.known_video().encoded:
        raise UsageError(f"videos of {spec.name} are counted alone: their frames take another way through the encoder")
    return chosen(spec, film)


def _views(spec: ModelSpec, size: Size | None, input: Size | None, clip: Clip | None) -> tuple[View, ...]:
    """The views of `size`, or of the model's own size."""
    own = input or spec.known_rule().own_size
    if size is None and own is None:
        raise UsageError(f"{spec.name} has no size of its own: give width and height")
    size = size or own
    assert size is not None
    return spec.views(size, input) if clip is None else spec.known_video().rule.views(size, clip.frames)


def _table_size(spec: EncoderSpec) -> Size:
    """The size that the position table was made for."""
    if not isinstance(spec.position, LearnedTable):
        raise UsageError("bare geometry without a learned table has no size of its own: give width and height")
    return Size(height=spec.position.rows * spec.patch.height, width=spec.position.cols * spec.patch.width)
