"""The steps of a count in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.views import View

if TYPE_CHECKING:
    from vistoken.counting.tokens import TokenCount


def explain(result: TokenCount) -> str:
    """A numbered list of steps that ends in the sum, then how far the result can be trusted."""
    spec = result.spec
    if result.input is None:
        rule = spec.known_rule()
        chosen = f"view rule ({rule.kind}): {rule}"
    else:
        chosen = f"view rule skipped: input {result.input}"
    steps = [f"the picture's size, upright: {result.size}", chosen]
    if not any(view.steps for view in result.views):
        steps.append("nothing is resized")
    for view in result.views:
        steps += [str(step) for step in view.steps]
        steps.append(_grid(view))
    if spec.prompt:
        steps.append(
            f"merge: {spec.prompt.merge}: {result.patches:,} patches give {result.image_tokens:,} image tokens"
        )
    steps.append(
        "sum: " + " + ".join(f"{value:,} {name}" for name, value in result.rows) + f" = {result.tokens:,} tokens"
    )
    lines = [f"{spec.name} ({spec.family})"] + [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
    lines.append(f"  trust: rule {spec.trust.rule}; settings {spec.trust.settings}")
    if spec.prompt and spec.prompt.template:
        lines.append(f"  note: {spec.prompt.template}, which are not counted here")
    return "\n".join(lines)


def _grid(view: View) -> str:
    size, patch, grid = view.size, view.patch, view.grid
    text = (
        f"grid of {patch.width}x{patch.height} patches: {size.height} // {patch.height} = {grid.rows} rows, "
        f"{size.width} // {patch.width} = {grid.cols} columns: {grid.rows} x {grid.cols} = {grid.patches:,} patches"
    )
    right, bottom = size.width - grid.cols * patch.width, size.height - grid.rows * patch.height
    if right or bottom:
        text += f"; unread: {right} pixels at the right, {bottom} at the bottom"
    return text
