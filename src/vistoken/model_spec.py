"""The frozen description of a model: its encoder, how pictures are brought to it, and what an LLM behind it receives.

Kept apart from the encoder's description, which counting alone does not load.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from vistoken.errors import ConfigError, UsageError
from vistoken.geometry import Size
from vistoken.sequence import Prompt
from vistoken.views.steps import View

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.views import ViewRule


@dataclass(frozen=True, slots=True)
class PixelSpec:
    """From bytes 0-255 to the encoder's numbers: (value * scale - mean) / std, channel by channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255


Level = Literal["verified", "documented", "measured by third parties", "inferred", "assumed"]
LEVELS: tuple[Level, ...] = ("assumed", "inferred", "measured by third parties", "documented", "verified")


@dataclass(frozen=True, slots=True)
class Label:
    """How sure something is, and on what evidence."""

    level: Level
    evidence: str

    @property
    def weak(self) -> bool:
        """Whether it is only inferred or assumed."""
        return LEVELS.index(self.level) < LEVELS.index("measured by third parties")

    def __str__(self) -> str:
        return f"{self.level} ({self.evidence})"


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a count can be trusted: the algorithm (`rule`) and the numbers it was fed with (`settings`)."""

    rule: Label
    settings: Label

    @property
    def level(self) -> Level:
        """The lower of the two."""
        return min(self.rule.level, self.settings.level, key=LEVELS.index)


@dataclass(frozen=True, slots=True)
class Origin:
    """One value of a description and where it comes from."""

    field: str
    value: object
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model: the encoder, how pictures are brought to it, and what the LLM behind it receives.

    `encoder` is None for models that vistoken only counts; `rule` and `pixels` are None where the model's files do
    not say how pictures are resized; `prompt` is None for a model without an LLM.
    """

    name: str
    family: str
    encoder: EncoderSpec | None
    rule: ViewRule | None
    pixels: PixelSpec | None
    trust: Trust
    prompt: Prompt | None = None
    origins: tuple[Origin, ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def own_size(self) -> Size | None:
        """The size that the model's own processor makes, or None where it follows the picture."""
        return self.rule.own_size if self.rule else None

    def views(self, size: Size, input: Size | None = None) -> tuple[View, ...]:
        """What the model looks at in a picture of `size`; `input` skips the view rule and resizes straight to it."""
        if input is None:
            return self.known_rule().views(size)
        # Without a preprocessor the patch is still known, and the filter does not change the grid.
        known = self.rule or self.encoder or self.known_rule()
        filter = self.rule.filter if self.rule else "bicubic"
        from vistoken.views.fixed import Stretch  # only where it is asked for, see vistoken.views

        view = Stretch(input, filter, known.patch).views(size)[0]
        if not view.grid.patches:
            raise UsageError(f"input {input} is smaller than one {known.patch} patch of {self.name}")
        if self.prompt:
            self.prompt.check_input(input, known.patch)
        return (view,)

    def known_rule(self) -> ViewRule:
        """The view rule. Raises `ConfigError` where the model's files do not tell it."""
        if self.rule is None:
            raise ConfigError(
                f"{self.name} has no preprocessor_config.json, so how it resizes pictures is unknown: "
                "put the file beside config.json"
            )
        return self.rule
