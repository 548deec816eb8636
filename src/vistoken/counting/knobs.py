"""Settings of a model's own preprocessor that make fewer tokens of the same file: a limit on pixels, tiles, patches.

Each name has its own values, mildest first. Every answer is one that was counted.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vistoken import registry
from vistoken.errors import VistokenError
from vistoken.model_spec import ModelSpec

# Values with a name, mildest first. Sources: OpenAI's vision guide (`detail`), Google's guide on media resolution, and
# transformers 5.23.0, `models/gemma4/image_processing_pil_gemma4.py` (the numbers that `max_soft_tokens` may be).
NAMED: Mapping[str, Sequence[Any]] = {
    "detail": ("original", "high", "low"),
    "media_resolution": ("ultra_high", "high", "medium", "low"),
    "max_soft_tokens": (1120, 560, 280, 140, 70),
}
# Whether a picture is cut into tiles besides its overview: `false` is the stricter value.
SWITCHES = ("crop_to_patches", "do_image_splitting", "split_image", "dynamic_image_size", "slice_mode",
            "do_pan_and_scan", "fine_route")  # fmt: skip
# Limits in whole numbers: of pixels, tiles, patches, tokens or frames.
LIMITS = ("max_pixels", "max_patches", "max_num_patches", "max_image_tokens", "in_token_limit", "max_dynamic_patch",
          "max_image_tiles", "max_num_tiles", "max_tiles", "max_crops", "max_slice_nums", "dynamic_hd",
          "max_image_size", "rescale_image_max_upscaled_long_edge", "pan_and_scan_max_num_crops",
          "max_video_frame_tokens", "max_video_tokens", "max_frames", "num_frames")  # fmt: skip
# Where the model's files do not say their limit, the search begins here: in pixels far above any budget that was
# published (25 million), and else above the 4,096 patches of Kosmos-2.5.
_TOPS = {"max_pixels": 10**8}
_TOP = 4096
# So few values are all tried; of more, it is assumed that a stricter one does not make more.
_TRIED = 64

Count = Callable[[ModelSpec], int]


class Setting(NamedTuple):
    """A setting with its value, and the tokens that the file then becomes."""

    name: str
    value: Any
    tokens: int

    def __str__(self) -> str:
        """As `--set` takes it."""
        value = self.value if isinstance(self.value, str) else json.dumps(self.value, separators=(",", ":"))
        return f"{self.name}={value}"

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "tokens": self.tokens}


class Knobs:
    """The settings of one model. What they make of it is described once and kept."""

    def __init__(self, found: registry.Found, settings: Mapping[str, Any], model: str) -> None:
        self.own = _own(found.spec)
        self.names = found.family.settings
        self._model, self._settings = found.folder or model, settings
        self._pixels = found.spec.known_rule().patch.height * found.spec.known_rule().patch.width
        self._made: dict[tuple[str, str], ModelSpec | None] = {}

    def within(self, count: Count, limit: int) -> tuple[Setting, ...]:
        """Of each setting the mildest value with which `count` is at most `limit`; those with most tokens first."""
        found = (self._mildest(name, self._values(name), count, limit) for name in self.names)
        return tuple(sorted(filter(None, found), key=lambda setting: -setting.tokens))

    def _mildest(self, name: str, values: Sequence[Any], count: Count, limit: int) -> Setting | None:
        def fits(value: Any) -> bool:
            return self._tokens(name, value, count, limit) <= limit

        if len(values) <= _TRIED:
            place = next((place for place, value in enumerate(values) if fits(value)), len(values))
        else:
            place = bisect_left(
                range(len(values)), True, key=lambda place: self._below(name, values[place], count, limit)
            )
        if place == len(values) or not fits(values[place]):
            return None
        return Setting(name, values[place], int(self._tokens(name, values[place], count, limit)))

    def _below(self, name: str, value: Any, count: Count, limit: int) -> bool:
        """Whether a value is strict enough, or too strict for the model."""
        return not limit < self._tokens(name, value, count, limit) < float("inf")

    def _tokens(self, name: str, value: Any, count: Count, limit: int) -> float:
        """Infinite where the model cannot be read with this value, or refuses the picture."""
        spec = self._spec(name, value)
        try:
            return float("inf") if spec is None else count(spec)
        except VistokenError:
            return float("inf")

    def _spec(self, name: str, value: Any) -> ModelSpec | None:
        key = name, json.dumps(value)
        if key not in self._made:
            try:
                self._made[key] = registry.describe(self._model, settings={**self._settings, name: value})
            except VistokenError:  # it contradicts another setting, or has no effect
                self._made[key] = None
        return self._made[key]

    def _values(self, name: str) -> Sequence[Any]:
        own = self.own.get(name)
        if name in NAMED:
            return NAMED[name]
        if name in SWITCHES:
            return (False,)
        if name in LIMITS and (own is None or type(own) is int):
            top = own or _TOPS.get(name, _TOP)
            step = self._pixels if name == "max_pixels" else 1
            return range(top - top % step, 0, -step)
        if name == "image_grid_pinpoints" and isinstance(own, Sequence):
            return list(_fewer_canvases(own))
        return self._edges(own) if name == "size" and isinstance(own, Mapping) else ()

    def _edges(self, own: Mapping[str, Any]) -> Sequence[Any]:
        """Shorter long edges, in pixels; in whole tiles where the model cuts them (`max_image_size`)."""
        tile, long = self.own.get("max_image_size"), own.get("longest_edge")
        if type(long) is not int or "max_pixels" in self.names:  # where an edge stands for an area
            return ()
        step = tile.get("longest_edge", 1) if isinstance(tile, Mapping) else 1
        return _Edges(own, range(long, 0, -step))


def _own(spec: ModelSpec) -> Mapping[str, Any]:
    """What the model's files say; of a limit that pictures and videos have each their own of, the milder one."""
    own: dict[str, Any] = {origin.field: origin.value for origin in spec.origins}
    for name, value, _ in (record for read in spec.reads for record in read):
        if type(value) is int and type(own.get(name)) is int:
            own[name] = max(value, own[name])
    return own


class _Edges(Sequence[Any]):
    """`size` with each of `lengths` as its longest edge."""

    def __init__(self, own: Mapping[str, Any], lengths: range) -> None:
        self._own, self._lengths = own, lengths

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, place: Any) -> Any:
        return {**self._own, "longest_edge": self._lengths[place]}


def _fewer_canvases(canvases: Sequence[Any]) -> Iterator[Any]:
    """The listed canvases (LLaVA-NeXT's pinpoints) without the largest, then without the next ones."""
    areas = sorted({height * width for height, width in canvases}, reverse=True)
    for most in areas[1:]:
        yield [[height, width] for height, width in canvases if height * width <= most]
