"""Views: what a model will look at, decided from a size alone.

A `View` is an ordered tuple of `Resize`, `Crop` and `Pad` steps that ends in one grid of patches. A view rule turns
a `Size` into views; it is one small frozen type for each distinct algorithm, in the files of this folder by kind.
"""

from __future__ import annotations

from vistoken.views.budget import FillTokens as FillTokens
from vistoken.views.budget import PixelBudget as PixelBudget
from vistoken.views.fixed import Native as Native
from vistoken.views.fixed import ShortSide as ShortSide
from vistoken.views.fixed import ShortSideCrop as ShortSideCrop
from vistoken.views.fixed import Stretch as Stretch
from vistoken.views.fixed import StretchCrop as StretchCrop
from vistoken.views.steps import Crop as Crop
from vistoken.views.steps import Filter as Filter
from vistoken.views.steps import Pad as Pad
from vistoken.views.steps import Resize as Resize
from vistoken.views.steps import Step as Step
from vistoken.views.steps import View as View

ViewRule = Stretch | StretchCrop | ShortSide | ShortSideCrop | Native | PixelBudget | FillTokens
