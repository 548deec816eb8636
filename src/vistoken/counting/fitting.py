"""The inverse of a count: the largest picture within a number of tokens, and the settings that do as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vistoken import registry
from vistoken.counting.knobs import Knobs, Setting
from vistoken.counting.ready import Counter, counter_of
from vistoken.counting.search import most_images, sizes_below
from vistoken.counting.tokens import asked_size
from vistoken.errors import InputError, NothingFits, UsageError, shown
from vistoken.frozen import frozen
from vistoken.geometry import Size

if TYPE_CHECKING:
    from vistoken.model_spec import ModelSpec
    from vistoken.sources import Picture

# Longest side that is searched from, since every size below is looked at: that of JPEG.
MAX_LONG_SIDE = 65_535
# Far above the longest context of any LLM.
MOST_TOKENS = 10**9


@frozen
class Fit:
    """What of a picture of `size` stays within `limit` tokens: two roads, of which one suffices.

    `image` is the largest size of the same aspect ratio, not above `size`, and `tokens` what it becomes; both are None
    where no size fits. `settings` are values of the model's preprocessor with which the file itself fits, unresized;
    empty where it fits anyway, or where none does it. `counted` are the tokens of the picture as it is (None where the
    model's rule refuses it), `images` how many of size `image` fit into `context` tokens (None without an LLM).
    """

    model: str
    limit: int
    size: Size
    counted: int | None
    image: Size | None
    tokens: int | None
    settings: tuple[Setting, ...]
    context: int
    images: int | None

    @property
    def fits(self) -> bool:
        """Whether the picture stays within the limit as it is."""
        return self.image == self.size

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names, sizes are written as WIDTHxHEIGHT."""
        return {
            "model": self.model,
            "limit": self.limit,
            "size": str(self.size),
            "counted": self.counted,
            "image": str(self.image) if self.image else None,
            "tokens": self.tokens,
            "settings": [setting.as_dict() for setting in self.settings],
            "context": self.context,
            "images": self.images,
        }


def within(
    model: str,
    *,
    tokens: int,
    width: int | None = None,
    height: int | None = None,
    image: Picture | None = None,
    context: int | None = None,
    images_in_prompt: int = 1,
    revision: str | None = None,
    **settings: Any,
) -> Fit:
    """The largest size of a picture's aspect ratio, not above it, that stays within `tokens`, or settings for the file.

    Largest is the area: of the sizes from the picture's own down, one for each length of the longer side (see
    `sizes_below`), all are looked at from the largest down, since view rules are not monotonic.

    Args:
        model: a built-in name or alias, a hub id, or a folder with `config.json`.
        tokens: that one picture may become at most.
        width: of the picture in pixels, before the model's own resizing.
        height: likewise.
        image: instead of both: a picture, of which only the header is read; orientation is applied.
        context: tokens that `images` are to fit into; `tokens` if not given.
        images_in_prompt: pictures that share the prompt with this one, itself included: it changes some rules.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names.

    >>> fit = within("qwen2.5-vl-7b", width=1280, height=720, tokens=640, context=32_768)
    >>> str(fit.image), fit.tokens, fit.images
    ('937x527', 627, 52)
    >>> str(fit.settings[0])
    'max_pixels=509796'

    Raises `NothingFits` (exit code 3) that says by how much; `UsageError`, `ModelError` or `InputError`.
    """
    found = registry.find(model, settings=settings, revision=revision)
    return Fitter(found, model, settings, tokens, context, images_in_prompt).fit(asked_size(width, height, image))


class Fitter:
    """Fits pictures of one model: what was found for a size is kept, since most folders repeat theirs.

    `limit` None means what `context` holds.
    """

    def __init__(
        self, found: registry.Found, model: str, settings: Mapping[str, Any], limit: int | None,
        context: int | None = None, images_in_prompt: int = 1,
    ) -> None:  # fmt: skip
        self.limit = whole("tokens", context if limit is None else limit)
        self.context = whole("context", self.limit if context is None else context)
        self.spec, self.sharing = found.spec, images_in_prompt
        self._count = counter_of(found.spec.among(images_in_prompt))
        self._knobs = Knobs(found, settings, model)
        self._known: dict[Size, Fit | InputError | NothingFits] = {}

    def fit(self, size: Size) -> Fit:
        """What fits of a picture of `size`. Raises `NothingFits` or `InputError`."""
        if size not in self._known:
            try:
                self._known[size] = self._searched(size)
            except (InputError, NothingFits) as error:
                self._known[size] = error
        answer = self._known[size]
        if isinstance(answer, Fit):
            return answer
        raise answer

    def _searched(self, size: Size) -> Fit:
        if max(size.width, size.height) > MAX_LONG_SIDE:
            raise InputError(f"{size}: the longer side to search from must be at most {MAX_LONG_SIDE:,} pixels")
        image = next((one for one in sizes_below(size) if self._fits(one)), None)
        settings = () if image == size else self._knobs.within(lambda spec: self._with(spec, size), self.limit)
        if image is None and not settings:
            raise self._refusal(size)
        return Fit(
            model=self.spec.name, limit=self.limit, size=size, counted=_or_none(self._count, size), image=image,
            tokens=_or_none(self._count, image) if image else None, settings=settings, context=self.context,
            images=self._images(image) if image and self.spec.prompt else None,
        )  # fmt: skip

    def _fits(self, size: Size) -> bool:
        tokens = _or_none(self._count, size)
        return tokens is not None and tokens <= self.limit

    def _with(self, spec: ModelSpec, size: Size) -> int:
        return counter_of(spec.among(self.sharing))(width=size.width, height=size.height)

    def _images(self, size: Size) -> int:
        """How many pictures of `size` fit into the context, by the rule that holds where so many share a prompt."""

        def fits(images: int) -> bool:
            try:
                return images * self._with_crowd(images, size) <= self.context
            except InputError:
                return False

        return most_images(self.spec, fits)

    def _with_crowd(self, images: int, size: Size) -> int:
        return counter_of(self.spec.among(images))(width=size.width, height=size.height)

    def _refusal(self, size: Size) -> NothingFits | InputError:
        """The size of fewest tokens, the largest of them, and by how much it misses the limit."""
        counted = [(tokens, one) for one in sizes_below(size) if (tokens := _or_none(self._count, one)) is not None]
        if not counted:
            return _refused(self._count, size)
        least, nearest = min(counted, key=lambda pair: pair[0])
        return NothingFits(
            f"no size up to {size} stays within {self.limit:,} tokens of {self.spec.name}, and no setting does it: "
            f"{nearest} comes nearest with {least:,} tokens, {least - self.limit:,} more"
        )


def _or_none(count: Counter, size: Size) -> int | None:
    """The tokens, or None where the model's rule refuses this size."""
    try:
        return count(width=size.width, height=size.height)
    except InputError:
        return None


def _refused(count: Counter, size: Size) -> InputError:
    try:
        count(width=size.width, height=size.height)
    except InputError as error:
        return error
    raise AssertionError(f"{size} was refused before")


def whole(name: str, value: object) -> int:
    """A number of tokens. Raises `UsageError`."""
    if type(value) is not int or not 1 <= value <= MOST_TOKENS:
        raise UsageError(f"{name} is {shown(value)}: it must be a whole number of tokens from 1 to {MOST_TOKENS:,}")
    return value
