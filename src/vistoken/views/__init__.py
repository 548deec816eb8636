"""Views: what a model will look at, decided from a size alone.

A `View` is an ordered tuple of `Resize`, `Crop` and `Pad` steps that ends in one grid of patches. A view rule turns
a `Size` into views; it is one small frozen type for each distinct algorithm, in the files of this folder by kind.
Only the rule files that a call needs are imported: names are resolved when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vistoken.views.budget import PixelBudget as PixelBudget
    from vistoken.views.fill import FillTokens as FillTokens
    from vistoken.views.fixed import Native as Native
    from vistoken.views.fixed import ShortSide as ShortSide
    from vistoken.views.fixed import ShortSideCrop as ShortSideCrop
    from vistoken.views.fixed import Stretch as Stretch
    from vistoken.views.fixed import StretchCrop as StretchCrop
    from vistoken.views.rule import OneView as OneView
    from vistoken.views.rule import Tiling as Tiling
    from vistoken.views.rule import ViewRule as ViewRule
    from vistoken.views.steps import Crop as Crop
    from vistoken.views.steps import Filter as Filter
    from vistoken.views.steps import Pad as Pad
    from vistoken.views.steps import Resize as Resize
    from vistoken.views.steps import Step as Step
    from vistoken.views.steps import View as View

_HOMES = {
    "rule": ("OneView", "Tiling", "ViewRule"),
    "steps": ("Crop", "Filter", "Pad", "Resize", "Step", "View"),
    "fixed": ("Native", "ShortSide", "ShortSideCrop", "Stretch", "StretchCrop"),
    "budget": ("PixelBudget",),
    "fill": ("FillTokens",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"vistoken.views.{home}"), name)
    raise AttributeError(f"module 'vistoken.views' has no attribute {name!r}")
