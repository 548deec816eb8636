"""The frozen description of a model: its encoder, how pictures are brought to it, and what an LLM behind it receives.

Kept apart from the encoder's description, which counting alone does not load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from vistoken.errors import ConfigError, InputError, UsageError, VistokenError, shown
from vistoken.geometry import Size

if TYPE_CHECKING:
    from vistoken.paging import PageSpec
    from vistoken.prompts.layout import Layout, VideoLayout
    from vistoken.spec import EncoderSpec
    from vistoken.video import Sampling
    from vistoken.views.rule import Tiling, ViewRule
    from vistoken.views.steps import View
    from vistoken.views.video import FrameRule


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PixelSpec:
    """From bytes 0-255 to the encoder's numbers: (value * scale - mean) / std, channel by channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255


# Far above what any model makes of a picture (the most tiles that a published file allows are a few dozen).
MAX_VIEWS = 50_000

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
class VideoSpec:
    """How videos are brought to the encoder and the LLM.

    `sampling` is None where the family has no rule of its own: then the caller says which frames there are. `pixels`
    is None where frames are normalised as pictures are. `encoded` is false where videos are counted alone: their frames
    go through another tower than pictures, or through the tower together. `pooled` is the side of the blocks of patches
    that become their mean in front of the connector, for videos alone.
    """

    rule: FrameRule
    prompt: VideoLayout
    sampling: Sampling | None = None
    pixels: PixelSpec | None = None
    encoded: bool = True
    pooled: int = 1


class Later(Generic[T]):
    """A part of a description that is read when it is first asked for: most counts need neither videos nor encoders.

    Two are equal where what they read is.
    """

    __slots__ = ("_read", "_value")

    def __init__(self, read: Callable[[], T | None]) -> None:
        self._read: Callable[[], T | None] | None = read
        self._value: T | None = None

    def __call__(self) -> T | None:
        if read := self._read:  # a local name, since another thread may be here too
            self._value = read()
            self._read = None
        return self._value

    def __eq__(self, other: object) -> bool:
        return self() == other() if isinstance(other, Later) else NotImplemented

    def __hash__(self) -> int:
        return hash(self())

    def __repr__(self) -> str:
        return repr(self())


@dataclass(frozen=True, slots=True)
class Crowd:
    """What holds instead where more than `above` pictures share one prompt."""

    above: int
    rule: ViewRule
    prompt: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model: the encoder, how pictures are brought to it, and what the LLM behind it receives.

    `tower` tells `encoder`, which is None for models that vistoken only counts; `prefix_tokens` are those of each view.
    `computes` is False where nobody outside knows what the encoder computes (models behind an API). `rule` and `pixels`
    are None where the model's files do not say how pictures are resized; `prompt` is None for a model without an LLM.
    `film` tells `video`. `crowds` stand in ascending order of `above`. `pages` is what the vendor's API makes of a PDF,
    None where PDFs are pages that somebody made pictures of. `reads` are the records of what was read, of
    which `origins` are made.
    """

    name: str
    family: str
    tower: Later[EncoderSpec] | None
    rule: ViewRule | None
    pixels: PixelSpec | None
    trust: Trust
    prompt: Layout | None = None
    film: Later[VideoSpec] | None = None
    prefix_tokens: int = 0
    computes: bool = True
    crowds: tuple[Crowd, ...] = ()
    pages: PageSpec | None = None
    reads: tuple[Sequence[tuple[str, object, str]], ...] = field(default=(), compare=False, repr=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def video(self) -> VideoSpec | None:
        """How videos are read; None for a model that takes none."""
        return self.film() if self.film else None

    @property
    def encoder(self) -> EncoderSpec | None:
        """What computes the patches; None for a model that is only counted."""
        return self.tower() if self.tower else None

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Every value of the files that was read, with its source; those for videos among them."""
        if self.film:
            self.film()  # which adds to the records
        entries = {(name, source): Origin(name, value, source) for read in self.reads for name, value, source in read}
        return tuple(entries.values())

    @property
    def own_size(self) -> Size | None:
        """The size that the model's own processor makes, or None where it follows the picture."""
        return self.rule.own_size if self.rule else None

    def among(self, images: int) -> ModelSpec:
        """The description that holds where `images` pictures share one prompt."""
        if type(images) is not int or not 0 < images <= 1_000_000:
            raise UsageError(f"images_in_prompt is {shown(images)}: it must be a whole number from 1 to 1,000,000")
        for crowd in reversed(self.crowds):
            if images > crowd.above:
                return replace(self, rule=crowd.rule, prompt=crowd.prompt)
        return self

    def tiling(self, size: Size, input: Size | None = None) -> Tiling:
        """What the view rule decides for a picture of `size`, in integers; `input` skips the rule."""
        try:
            tiling = self.known_rule().tiling(size) if input is None else self._forced(input).tiling(size)
        except UsageError as error:
            raise self._refused(size, input, error) from None
        if self.computes and not tiling.patches:
            patch = self.known_rule().patch
            raise InputError(f"{size} leaves {self.name} without one whole patch of {patch} pixels with these settings")
        return tiling

    def views(self, size: Size, input: Size | None = None) -> tuple[View, ...]:
        """What the model looks at in a picture of `size`; `input` skips the view rule and resizes straight to it.

        Raises `InputError` for more views than anyone could look through (settings can ask for millions).
        """
        if (views := self.tiling(size, input).views) > MAX_VIEWS:
            raise InputError(
                f"{size} becomes {views:,} views for {self.name}: more than {MAX_VIEWS:,} are counted, not listed"
            )
        try:
            return self.known_rule().views(size) if input is None else self._forced(input).views(size)
        except UsageError as error:
            raise self._refused(size, input, error) from None

    def _refused(self, size: Size, input: Size | None, error: UsageError) -> VistokenError:
        """An `input` that does not fit is wrong use; a size that the rule turns into an impossible one is an input."""
        return error if input is not None else InputError(f"{size} is too large for this model's rule: {error}")

    def _forced(self, input: Size) -> ViewRule:
        # Without a preprocessor the patch is still known, and the filter does not change the grid.
        known = self.rule or self.encoder or self.known_rule()
        filter = self.rule.filter if self.rule else "bicubic"
        from vistoken.views.fixed import Stretch  # only where it is asked for, see vistoken.views

        if not known.patch.grid(input).patches:
            raise UsageError(f"input {input} is smaller than one {known.patch} patch of {self.name}")
        if self.prompt:
            self.prompt.check_input(input, known.patch)
        return Stretch(input, filter, known.patch)

    def video_encoder(self) -> EncoderSpec | None:
        """The encoder of videos: that of pictures, but for what is pooled in front of its connector."""
        encoder, side = self.encoder, self.known_video().pooled
        if encoder is None or encoder.connector is None or side == 1:
            return encoder
        from vistoken.connector import AveragePool

        stages = (AveragePool(side), *encoder.connector.stages)
        return replace(encoder, connector=replace(encoder.connector, stages=stages))

    def known_rule(self) -> ViewRule:
        """The view rule. Raises `ConfigError` where the model's files do not tell it."""
        if self.rule is None:
            raise ConfigError(
                f"{self.name} has no preprocessor_config.json, so how it resizes pictures is unknown: "
                "put the file beside config.json"
            )
        return self.rule

    def known_video(self) -> VideoSpec:
        """How videos are read. Raises `UsageError` for a model that takes none."""
        video = self.video
        if video is None:
            raise UsageError(
                f"{self.name} takes no video here: leave out frames, duration and fps, or count its frames as pictures"
            )
        return video
