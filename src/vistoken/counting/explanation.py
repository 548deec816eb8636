"""The steps of a count in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vistoken.views.steps import View

if TYPE_CHECKING:
    from vistoken.counting.tokens import TokenCount

# So many views are listed one by one; of more, the first and the last few.
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
    views = result.views
    if len(views) == 1:
        (view,) = views
        yield from [str(step) for step in view.steps] or ["nothing is resized"]
        yield _grid(view)
        return
    tiling = result.tiling
    overview = " and an overview" if tiling.overview else ""
    yield f"{len(views)} views: {tiling.rows} rows x {tiling.cols} columns of tiles{overview}"
    for number, view in enumerate(views):
        if number < LISTED or number >= len(views) - 2:
            yield f"view {number}: {_steps(view)}; {_box(view)}; {_grid(view)}"
        elif number == LISTED:
            yield f"views {number} to {len(views) - 3} likewise"
    yield f"patches of all views: {_patches(result)}"


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
    image, markers = result.sequence.counts
    yield f"prompt: {layout}"
    yield f"in the prompt: {_short(str(result.sequence))}: {image:,} image tokens" + (
        f", {markers:,} marker tokens" if markers else ""
    )


def _short(text: str, most: int = 400) -> str:
    return text if len(text) <= most else f"{text[: most - 60]} ... {text[-50:]}"


def _steps(view: View) -> str:
    return ", ".join(map(str, view.steps)) or "as it is"


def _box(view: View) -> str:
    box = view.box
    return f"sees {box.left:.5g},{box.top:.5g} to {box.right:.5g},{box.bottom:.5g} of the picture"


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
