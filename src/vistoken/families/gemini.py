"""Gemini behind the API: tiles of 258 tokens (2.0 and 2.5), or a token budget that `media_resolution` names (3).

Sources: Google's guides on tokens, image understanding, documents, media resolution and Gemini 3
(ai.google.dev/gemini-api/docs).
The guides give maxima for Gemini 3; that a picture fills its budget as Gemma 4 does is an inference: cells of 48 pixels
under a budget of 1120, and one token more, equal all ten points of a public data set of counts from 256x256 to 12
megapixels exactly.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import Example, Family, Files, Published, Reading
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label, VideoSpec
from vistoken.paging import PageSpec
from vistoken.prompts.bill import PatchBill, TileBill
from vistoken.views.fill import FillCells
from vistoken.views.fixed import Stretch
from vistoken.views.vendor import UnitsOfShortSide

if TYPE_CHECKING:
    from vistoken.configs import Config
    from vistoken.views.rule import ViewRule

ROUGH = Label("documented", "Google's token guide, which calls the formula rough")
INFERRED = Label("inferred", "Gemma 4's rule with Gemini 3's documented budgets; equals ten published counts")

# Tokens of a tile, and of a frame of Gemini 2.
TILE = 258
# media_resolution -> the budget of a picture and of a video frame. Ultra high is for pictures alone.
BUDGETS = {
    "unspecified": (1120, 70), "low": (280, 70), "medium": (560, 70), "high": (1120, 280), "ultra_high": (2240, None),
}  # fmt: skip
# media_resolution -> the most tokens of a page of a PDF (guide on media resolution). Ultra high is for pictures alone,
# and the guide gives no number for a PDF.
PAGES = {"unspecified": 560, "low": 280, "medium": 560, "high": 1120}
PAGE = Label("documented", "Google's guide on documents: 258 tokens a page")
FILLED = Label(
    "documented",
    "Google's guide on media resolution, which gives the most; published counts of pages of text, of a table and of a "
    "scan at the default are 560 a page",
)
LEVELS = {**{name: name for name in BUDGETS}, **{f"MEDIA_RESOLUTION_{name.upper()}": name for name in BUDGETS}}


def read(files: Files) -> Reading:
    """`media_resolution` by its short name or as the API spells it."""
    values = (files.image or files.processor).with_defaults({"media_resolution": "unspecified", "fps": 1}, "the API")
    if files.config.raw("model_type") == "gemini_tiles":
        tile = Stretch(Size(height=768, width=768), "bicubic", Patch.square(768))
        video = partial(_video, values, tile, TILE)
        units, bill = UnitsOfShortSide(384, Patch.square(768)), TileBill(0, TILE)
        return Reading(None, units, None, bill, video, computes=False, pages=_page(TILE, PAGE))
    level, cell = values.choice("media_resolution", LEVELS), Patch.square(48)
    picture, frame = BUDGETS[level]
    frames = partial(_video, values, FillCells(frame, 48, "bicubic", cell), 1) if frame else None
    pages = _page(PAGES[level], FILLED) if level in PAGES else None
    rule = FillCells(picture, 48, "bicubic", cell)
    return Reading(None, rule, None, PatchBill(extra=1), frames, computes=False, pages=pages)


def _page(tokens: int, label: Label) -> PageSpec:
    """Every page of a PDF comes to the same, whatever its size."""
    one = Stretch(Size(height=768, width=768), "bicubic", Patch.square(768))
    return PageSpec(one, TileBill(0, tokens), label, (_TEXT,))


def _video(values: Config, frame: ViewRule, tokens: int) -> VideoSpec:
    from vistoken.prompts.bill import FrameBill
    from vistoken.sampling.gemini import PerSecond
    from vistoken.sampling.reading import sampling_rate
    from vistoken.views.video import PerFrame

    sampling = PerSecond(sampling_rate(values) or 1.0)
    return VideoSpec(rule=PerFrame(frame), prompt=FrameBill(tokens), sampling=sampling)


_TEXT = (
    "of a PDF sent as a file: text that lies in its pages is read by the model and not billed; the size of a page does "
    "not matter, nor do dots per inch; at most 1,000 pages"
)
_SECONDS = (
    "of a video: 258 tokens a frame at one frame a second; the guide's 263 a second include a time stamp; sound is 32 "
    "tokens a second, not counted here"
)


def _published(*names: str, tiles: bool) -> Published:
    if tiles:
        return Published(names, {"model_type": "gemini_tiles"}, {}, ROUGH, notes=(_SECONDS,))
    return Published(names, {"model_type": "gemini_budget"}, {}, INFERRED)


FAMILY = Family(
    name="Gemini",
    model_types=("gemini_tiles", "gemini_budget"),
    read=read,
    published=(
        _published("gemini-2.0-flash", "gemini-2.0-flash-lite", tiles=True),
        _published("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", tiles=True),
        _published("gemini-3-pro", "gemini-3-pro-preview", "gemini-3-flash-preview", tiles=False),
        _published("gemini-3.1-pro", "gemini-3.1-pro-preview", tiles=False),
    ),
    rule=Label("documented", "Google's guides; Gemini 3: inferred from Gemma 4, see the settings"),
    settings=("media_resolution", "sampling_fps"),
    examples=(
        Example("gemini-2.5-pro", 384, 384, None, 258, "token guide: both sides at most 384"),
        Example("gemini-2.5-pro", 960, 540, None, 1548, "image guide: unit 360, 3 x 2 = 6 tiles of 258"),
        Example("gemini-2.5-pro", 1280, 720, None, 2580, "60 seconds of 258 tokens a frame", arguments={"frames": 10}),
        Example("gemini-3-pro", 1024, 1024, None, 1090, "public counts: squares 1089 and one"),
        Example("gemini-3-pro", 1920, 1080, None, 1101, "public counts: 16:9 1100 and one"),
        Example("gemini-3-pro", 1024, 768, None, 1065, "public counts: 4:3 1064 and one"),
    ),
)  # fmt: skip
