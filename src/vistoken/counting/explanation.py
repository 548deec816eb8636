"""The steps of a count in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from vistoken.views.steps import Crop, Step, View

if TYPE_CHECKING:
    from vistoken.counting.tokens import TokenCount

# Of more views than this, only the first few and the last are told where they lie.
LISTED = 6


def explain(result: TokenCount) -> str:
    """A numbered list of steps that ends in the sum, then how far the result can be trusted."""
    spec = result.spec
    steps = [f"the picture's size, upright: {result.size}", *_rule(result), *_views(result), *_prompt(result)]
    steps.append(
        "sum: " + " + ".join(f"{value:,} {name}" for name, value in result.rows) + f" = {result.tokens:,} tokens"
    )
    lines = [f"{spec.name} ({spec.family})"] + [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
    if result.cross_tokens is not None:
        lines.append(f"  besides: {result.cross_tokens:,} tokens that the LLM reads by cross-attention")
    if result.text:
        shown = ", ".join(repr(text) for text in result.text[:4])
        more = f" and {len(result.text) - 4} more" if len(result.text) > 4 else ""
        lines.append(f"  besides: text that the processor writes, as the tokenizer cuts it: {shown}{more}")
    lines.append(f"  trust: rule {spec.trust.rule}; settings {spec.trust.settings}")
    prompt = spec.known_video().prompt if result.clip else spec.prompt
    if prompt and prompt.template:
        lines.append(f"  note: {prompt.template}, which are not counted here")
    lines += [f"  note: {note}" for note in spec.notes]
    return "\n".join(lines)


def _rule(result: TokenCount) -> Iterator[str]:
    spec = result.spec
    if result.clip:
        source, video = result.clip.source, spec.known_video()
        chosen = result.clip.frames
        if chosen != source.frames and video.sampling:
            yield f"frames: {video.sampling}: {chosen:,} of {source.frames:,}"
        else:
            yield f"frames: {chosen:,}"
        rule = video.rule.rule(result.size, chosen)
        yield f"view rule for videos: {video.rule}"
        yield from rule.reasons(result.size)
    elif result.input is not None:
        yield f"view rule skipped: input {result.input}"
    else:
        rule = spec.known_rule()
        yield f"view rule ({rule.kind}): {rule}"
        yield from rule.reasons(result.size)


def _views(result: TokenCount) -> Iterator[str]:
    views, tiling = result.views, result.tiling
    if len(views) == 1:
        yield from [str(step) for step in views[0].steps] or ["nothing is resized"]
        yield _grid(views[0])
        return
    overview = " and an overview" if tiling.overview else ""
    yield f"{len(views)} views: {tiling.rows} rows x {tiling.cols} columns of tiles{overview}"
    first = 0
    for _, group in groupby(views, _canvas):
        alike = list(group)
        last = first + len(alike) - 1
        if first == last:
            yield f"view {first}: {_steps(alike[0].steps)}; sees {_box(alike[0])}; {_grid(alike[0])}"
        else:
            *canvas, cut = alike[0].steps
            yield f"views {first} to {last}: {_steps(tuple(canvas))}, then each cut to {cut.size}; {_grid(alike[0])}"
            yield f"views {first} to {last} see {_boxes(alike)}"
        first = last + 1
    if result.spec.computes:
        yield f"patches of all views: {_patches(result)}"


def _canvas(view: View) -> tuple[object, ...]:
    """What tiles of one canvas have in common: all steps but the last one, and the grid."""
    cut = view.steps[-1:] if view.steps and isinstance(view.steps[-1], Crop) else ()
    return view.steps[: len(view.steps) - len(cut)], bool(cut), view.grid


def _patches(result: TokenCount) -> str:
    tiling = result.tiling
    if tiling.ragged:
        terms = [f"{grid.patches:,}" for grid in tiling.grids]
    else:
        terms = [f"{tiling.tiles} x {tiling.tile.patches:,}"]
        terms += [f"{tiling.overview.patches:,}"] if tiling.overview else []
    return f"{' + '.join(terms)} = {tiling.patches:,}" if tiling.overview or tiling.tiles > 1 else f"{tiling.patches:,}"


def _prompt(result: TokenCount) -> Iterator[str]:
    if result.sequence is None:
        return
    layout = result.spec.known_video().prompt if result.clip else result.spec.prompt
    yield f"prompt: {layout}: {_short(str(result.sequence))}"


def _short(text: str, most: int = 400) -> str:
    return text if len(text) <= most else f"{text[: most - 60]} ... {text[-50:]}"


def _steps(steps: tuple[Step, ...]) -> str:
    return ", ".join(map(str, steps)) or "as it is"


def _boxes(views: Sequence[View]) -> str:
    """Of many only the first few and the last."""
    shown = [_box(view) for view in views]
    if len(shown) > LISTED:
        shown = [*shown[: LISTED - 1], "...", shown[-1]]
    return "; ".join(shown) + " of the picture (left,top to right,bottom)"


def _box(view: View) -> str:
    box = view.box
    return f"{box.left:.5g},{box.top:.5g} to {box.right:.5g},{box.bottom:.5g}"


def _grid(view: View) -> str:
    size, patch, grid = view.size, view.patch, view.grid
    frames = f"{grid.frames} frames or groups of frames x " if grid.frames > 1 else ""
    text = (
        f"grid of {patch.width}x{patch.height} patches: {size.height} // {patch.height} = {grid.rows} rows, "
        f"{size.width} // {patch.width} = {grid.cols} columns: {frames}{grid.rows} x {grid.cols} = "
        f"{grid.patches:,} patches"
    )
    right, bottom = size.width - grid.cols * patch.width, size.height - grid.rows * patch.height
    if right or bottom:
        text += f"; unread: {right} pixels at the right, {bottom} at the bottom"
    return text
