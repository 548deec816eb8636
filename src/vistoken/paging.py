"""How a vendor's API brings the pages of a PDF to its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vistoken.model_spec import Label
    from vistoken.prompts.layout import Layout
    from vistoken.views.rule import ViewRule


@dataclass(frozen=True, slots=True)
class PageSpec:
    """What a page of a PDF becomes where the whole file is sent to the API.

    `rule` and `prompt` stand in the place of those of pictures. `label` says how they are known, and `notes` are shown
    with every count.
    """

    rule: ViewRule
    prompt: Layout
    label: Label
    notes: tuple[str, ...] = ()
