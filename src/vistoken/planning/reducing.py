"""Reductions compared: tokens, FLOPs of tower, projector and LLM, and its cache, before and after.

Counted are contractions, as in `vistoken.planning.operations`: the mean of tokens, or a score by which they are
dropped, is free. What `vistoken.planning.scene` says holds for where each reduction stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, assert_never

from vistoken import registry
from vistoken.choices import GatedMlp, RmsNorm
from vistoken.connector import Resample
from vistoken.counting.tokens import count_views, video
from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.planning.hardware import Device
from vistoken.planning.latency import Latency, latency
from vistoken.planning.llm import LlmCost, LlmSpec, cache_width
from vistoken.planning.operations import Operation
from vistoken.planning.plans import Plan, plan
from vistoken.planning.poolings import Pooled, pools
from vistoken.planning.reductions import (
    ALL,
    DropInside,
    DropInTower,
    DropTokens,
    EveryFrame,
    JoinTokens,
    Latents,
    PoolBlocks,
    Reduction,
    ShuffleBlocks,
    SomeFrames,
    parse_reductions,
)
from vistoken.planning.scene import Scene
from vistoken.video import Clip

CONVENTION = "two FLOPs for each multiply-add of every contraction, for one picture or video"


@frozen
class Reduced:
    """What one picture or video costs with a reduction; `reduction` is None for it as it is.

    Attributes:
        tokens: image and marker tokens that the LLM receives; of a plain encoder the patch tokens that it hands on.
        dim: width of an image token; None where the model's projector is not described.
        tower: operations of the encoder, its pooling head included.
        projector: operations between tower and LLM, the reduction's own among them.
        llm: what the tokens cost there, in parts where they become fewer on the way; empty without an LLM.
    """

    reduction: Reduction | None
    tokens: int
    dim: int | None
    tower: tuple[Operation, ...]
    projector: tuple[Operation, ...]
    llm: tuple[LlmCost, ...]

    @property
    def label(self) -> str:
        return "as it is" if self.reduction is None else str(self.reduction)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All that runs in front of the LLM, for `vistoken.planning.latency`."""
        return self.tower + self.projector

    @property
    def tower_flops(self) -> int:
        return 2 * sum(step.macs for step in self.tower)

    @property
    def projector_flops(self) -> int:
        return 2 * sum(step.macs for step in self.projector)

    @property
    def prefill_flops(self) -> int | None:
        """Of the LLM; None where there is none."""
        return sum(cost.flops.total for cost in self.llm) if self.llm else None

    @property
    def kv_bytes(self) -> int | None:
        """Of the LLM's cache, for one prompt; None where there is no LLM."""
        return sum(cost.kv.total for cost in self.llm) if self.llm else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {
            "reduction": str(self.reduction) if self.reduction else None,
            "tokens": self.tokens,
            "dim": self.dim,
            "tower_flops": self.tower_flops,
            "projector_flops": self.projector_flops,
            "prefill_flops": self.prefill_flops,
            "kv_bytes": self.kv_bytes,
        }


@frozen
class Comparison:
    """One picture or video as it is, and with each reduction.

    Attributes:
        plan: of the picture or video as it is.
        prompts: whether the model has an LLM's prompt of its own; else `tokens` are patch tokens.
        rows: as it is, then each reduction in the order in which they were asked for.
        without: the reductions that have no meaning here, and why.
    """

    plan: Plan
    prompts: bool
    llm: LlmSpec | None
    kv_dtype: str
    rows: tuple[Reduced, ...]
    without: tuple[tuple[Reduction, str], ...]

    def latency(self, row: Reduced, device: Device, mode: str = "eager") -> Latency:
        """How long tower and projector take for the batch."""
        return latency(row.operations, device, dtype=self.plan.dtype, batch=self.plan.batch, mode=mode)

    @property
    def pools(self) -> tuple[Pooled, ...]:
        """What each pooling would hand on; nothing where image tokens are made instead."""
        if self.prompts:
            return ()
        return pools(self.plan.encoder, [view.grid for view in self.plan.views])

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {
            "model": self.plan.model,
            "width": self.plan.size.width,
            "height": self.plan.size.height,
            "frames": self.plan.frames,
            "llm": self.llm.name if self.llm else None,
            "kv_dtype": self.kv_dtype,
            "convention": CONVENTION,
            "rows": [row.as_dict() for row in self.rows],
            "without": {str(reduction): reason for reduction, reason in self.without},
            "pools": [one.as_dict() for one in self.pools],
        }


def plan_reductions(
    model: str,
    reductions: Iterable[str] = (ALL,),
    *,
    width: int | None = None,
    height: int | None = None,
    input: str | Size | None = None,
    frames: int | None = None,
    duration: float | None = None,
    fps: float | None = None,
    llm: LlmSpec | str | None = None,
    batch: int = 1,
    dtype: str = "float32",
    kv_dtype: str = "bfloat16",
    revision: str | None = None,
    **settings: Any,
) -> Comparison:
    """A picture or video of a model as it is, and with each of `reductions`.

    Args:
        model: a built-in name, a hub id, or a folder with `config.json`.
        reductions: words: "pool=2", "shuffle=2", "resample=64", "frames=8" (so many in all), "every=2" (every second
            frame), "merge=16", "drop=0.5", "drop=0.5@6", "fastv=0.5@2"; "all" is a standard set.
        width: of the picture or video in pixels, before the model's own resizing; the model's own size if not given.
        height: likewise.
        input: a size that is fed to the encoder directly.
        frames: of a video, that are looked at.
        duration: of a video, in seconds; then the model's own rule chooses the frames.
        fps: frames a second of the video itself.
        llm: the language model behind, or its name; if not given, the model's own where it is known.
        batch: how many at once, for `latency`; rows are for one.
        dtype: of the encoder's weights.
        kv_dtype: of the LLM's cache.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names.

    >>> before, after = plan_reductions("llava-1.5-7b", ["pool=2"]).rows
    >>> before.tokens, after.tokens
    (576, 144)

    Raises `UsageError`, `ModelError` or `InputError` with what would work.
    """
    asked = parse_reductions(reductions)
    cache_width(kv_dtype)
    whole = plan(model, width=width, height=height, input=input, frames=frames, duration=duration, fps=fps,
                 batch=batch, dtype=dtype, revision=revision, **settings)  # fmt: skip
    spec = registry.describe(model, settings=settings, revision=revision, series=False)
    count = count_views(spec, whole.size, input, video(frames, duration, fps))
    scene = Scene(spec, whole.encoder, count, _llm(model, llm, revision), kv_dtype)
    rows, without = [_row(scene, None)], []
    for reduction in asked:
        try:
            rows.append(_reduced(scene, reduction))
        except (UsageError, InputError) as error:
            without.append((reduction, str(error)))
    return Comparison(whole, spec.prompt is not None, scene.llm, kv_dtype, tuple(rows), tuple(without))


def _llm(model: str, llm: LlmSpec | str | None, revision: str | None) -> LlmSpec | None:
    """The LLM that is asked for; else the model's own, or None where it has none or the table does not know it."""
    if isinstance(llm, LlmSpec):
        return llm
    from vistoken.planning.llm_table import find_llm, llm_of

    if llm is not None:
        return find_llm(llm)
    try:
        return llm_of(model, revision=revision)
    except UsageError:
        return None


# ---------------------------------------------------------------- one row each


def _reduced(scene: Scene, reduction: Reduction) -> Reduced:
    """Raises `UsageError` or `InputError` where the reduction has no meaning here."""
    match reduction:
        case PoolBlocks() | ShuffleBlocks():
            tokens = scene.in_blocks(reduction.side)
            dim, projector = scene.dim_in_blocks(reduction), tuple(scene.projector_in_blocks(reduction))
            return _row(scene, reduction, tokens, dim=dim, projector=projector)
        case Latents():
            return _resampled(scene, reduction)
        case SomeFrames() | EveryFrame():
            return _fewer_frames(scene, reduction)
        case JoinTokens():
            return _joined(scene, reduction)
        case DropTokens(share):
            return _row(scene, reduction, (_kept(scene.image_tokens, share), scene.markers))
        case DropInTower():
            return _dropped_in_tower(scene, reduction)
        case DropInside():
            return _dropped_inside(scene, reduction)
        case _:
            assert_never(reduction)


def _row(scene: Scene, reduction: Reduction | None, tokens: tuple[int, int] | None = None, **changed: Any) -> Reduced:
    """`tokens` are image and marker tokens; what is not `changed` is as it is without the reduction."""
    image, markers = tokens or (scene.image_tokens, scene.markers)
    given: dict[str, Any] = {"dim": scene.dim, "llm": scene.in_llm(image, markers), **changed}
    given.setdefault("tower", scene.tower())
    if "projector" not in given:
        given["projector"] = tuple(scene.projector())
    return Reduced(reduction, image + markers, **given)


def _kept(tokens: int, share: Fraction) -> int:
    return tokens - int(share * tokens)


def _resampled(scene: Scene, reduction: Latents) -> Reduced:
    """Latents stand in the place of a frame's tokens; where the model has some already, there are as many instead."""
    scene.check_described()
    if scene.encoder.deepstack:
        raise UsageError(
            f"the LLM of {scene.spec.name} adds vectors of earlier layers where image tokens stand, and latents have "
            "no place in the picture"
        )
    connector, count = scene.connectors[0], reduction.count
    own = next((stage for stage in connector.stages if isinstance(stage, Resample)), None)
    side = connector.side
    fewest = own.latents if own else min((grid.rows // side) * (grid.cols // side) for grid in scene.frames)
    if count > fewest:
        raise InputError(f"{count} latents are more than the {fewest} tokens of a view: ask for fewer")
    stages = [replace(stage, latents=count) if stage is own else stage for stage in connector.stages]
    if own is None:
        stages.append(_perceiver(count, connector.width(scene.encoder.dim)))
    projector = tuple(scene.projector(main=replace(connector, stages=tuple(stages))))
    return _row(scene, reduction, (count * len(scene.frames), scene.markers), projector=projector)


def _perceiver(latents: int, width: int) -> Resample:
    """Idefics2's shape: transformers 5.23.0, `Idefics2PerceiverConfig`; its MLP is 4 times as wide as a token."""
    mlp = GatedMlp(4 * width, "silu", bias=False)
    return Resample(latents, depth=3, heads=16, key_heads=4, head_dim=96, norm=RmsNorm(1e-6), mlp=mlp)


def _fewer_frames(scene: Scene, reduction: SomeFrames | EveryFrame) -> Reduced:
    clip = scene.count.clip
    if clip is None:
        raise UsageError("a picture has one frame: give the frames of a video, or its duration and rate")
    fewer = Clip(reduction.of(clip.indices), clip.source, clip.sampled)
    return _row(replace(scene, count=count_views(scene.spec, scene.count.size, None, fewer)), reduction)


def _joined(scene: Scene, reduction: JoinTokens) -> Reduced:
    """As `plan(merge_tokens=...)`, whose schedule is that of `EncoderSpec.lengths`."""
    merge, encoder = reduction.tokens, scene.encoder
    scene.check_plain()
    left = [Grid(1, encoder.lengths(frame, merge)[-1] - encoder.prefix_tokens) for frame in scene.frames]
    return _fewer_patches(scene, reduction, left, scene.tower(merge))


def _dropped_in_tower(scene: Scene, reduction: DropInTower) -> Reduced:
    scene.check_plain()
    if reduction.block > scene.encoder.depth:
        raise UsageError(f"{scene.spec.name} has {scene.encoder.depth} blocks: drop in front of one of them")
    left = [Grid(1, _kept(frame.patches, reduction.share)) for frame in scene.frames]
    return _fewer_patches(scene, reduction, left, scene.tower_of_two(reduction.block, left))


def _fewer_patches(
    scene: Scene, reduction: Reduction, left: Sequence[Grid], tower: tuple[Operation, ...]
) -> Reduced:  # fmt: skip
    """`left` are the patch tokens of every frame that leave the tower."""
    tokens, projector = sum(grid.patches for grid in left), tuple(scene.projector(frames=left))
    return _row(scene, reduction, (tokens, 0), tower=tower, projector=projector)


def _dropped_inside(scene: Scene, reduction: DropInside) -> Reduced:
    llm, layer, tokens = scene.llm, reduction.layer, scene.image_tokens
    if llm is None:
        raise UsageError("tokens are dropped inside the LLM, and none is known here: name one")
    if layer >= len(llm.layers):
        last = len(llm.layers) - 1
        raise UsageError(f"{llm.name} has {last + 1} layers: name one that others follow, from 1 to {last}")
    first, rest = (replace(scene, llm=replace(llm, layers=part)) for part in (llm.layers[:layer], llm.layers[layer:]))
    fewer = rest.in_llm(_kept(tokens, reduction.share), scene.markers)
    return _row(scene, reduction, llm=first.in_llm(tokens, scene.markers) + fewer)
