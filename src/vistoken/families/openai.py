"""OpenAI's models behind the API: tiles of 512 pixels (GPT-4o to GPT-5), or patches of 32 (mini models, GPT-5.2 on).

Sources: the guide on PDF files (developers.openai.com/docs/guides/pdf-files), the vision guide
(developers.openai.com/api/docs/guides/images-vision, as of November 2026) and its older
wording; bills that users measured and published: OpenAI community, "GPT-5-mini image input token calculation
discrepancy" (2026-03 to 2026-06) and "vision pricing models compared" (GPT-5.2). Where document and bill disagree the
bill is built in, and a note says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import Example, Family, Files, Published, Reading
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label
from vistoken.paging import PageSpec
from vistoken.prompts.bill import PatchBill, TileBill
from vistoken.views.fixed import Stretch
from vistoken.views.vendor import BoxThenShortSide, PatchCap

if TYPE_CHECKING:
    from vistoken.prompts.layout import Layout
    from vistoken.views.rule import ViewRule

DOCUMENTED = Label("documented", "OpenAI's vision guide")
SMALL = Label("documented", "OpenAI's vision guide; one small picture measured in April 2025 agrees")
MEASURED = Label("measured by third parties", "bills published in OpenAI's community forum, 2026-03 to 2026-06")
PAGE = Label(
    "assumed", "OpenAI's guide on PDF files: the text and an image of each page; how large an image, it does not say"
)
_TEXT = "of a PDF sent as a file: the text of its pages is billed besides, and not counted here"
QUOTED = Label("inferred", "OpenAI's rule as public repositories quote it; the measured points agree")


def read(files: Files) -> Reading:
    """The values are our own description of the vendor's rule, in the form of a preprocessor's file."""
    if files.config.raw("model_type") == "openai_tiles":
        rule, prompt = _tiles(files.config, _detail(files, ("auto", "high", "low")))
    else:
        rule, prompt = _patches(files)
    pages = PageSpec(rule, prompt, PAGE, (_TEXT,))
    return Reading(None, rule, None, prompt, computes=False, pages=pages)


def _detail(files: Files, known: tuple[str, ...]) -> str:
    values = (files.image or files.processor).with_defaults({"detail": "auto"}, "the API")
    return values.choice("detail", {name: name for name in known})


def _tiles(config: Config, detail: str) -> tuple[ViewRule, Layout]:
    base, tile = config.integer("base_tokens"), config.integer("tile_tokens")
    if detail == "low":
        return Stretch(Size(height=512, width=512), "bicubic", Patch.square(512)), TileBill(base, 0)
    return BoxThenShortSide(2048, 768, Patch.square(512)), TileBill(base, tile)


def _patches(files: Files) -> tuple[ViewRule, Layout]:
    levels = files.config.raw("details")
    edge, budget, refuse = levels[_detail(files, tuple(levels))]
    return PatchCap(edge, budget, Patch.square(32), refuse), PatchBill(files.config.integer("hundredths"))


def _tile(*names: str, base: int, tile: int, notes: tuple[str, ...] = ()) -> Published:
    config = {"model_type": "openai_tiles", "base_tokens": base, "tile_tokens": tile}
    return Published(names, config, {}, DOCUMENTED, notes=notes)


# detail -> (edge in pixels, budget of patches, patches above which the API refuses).
# "low" is documented as a version within 512x512; a report says that it had no effect on the mini models.
_LOW = (512, 256, None)
_MINI = dict.fromkeys(("auto", "high"), (2048, 1536, None)) | {"low": _LOW}
_WIDE = dict.fromkeys(("auto", "high"), (2048, 2500, None)) | {"low": _LOW}
_ORIGINAL = _WIDE | {"original": (6000, 10_000, None)}
_LATEST = {"auto": (65_535, None, 30_000), "original": (65_535, None, 30_000), "high": (None, 2500, None), "low": _LOW}
_BILLED = "the document multiplies by {}, the measured bills by {}: the bills are built in"


def _patch(
    *names: str, details: Mapping[str, Any], hundredths: int, label: Label = MEASURED, notes: tuple[str, ...] = ()
) -> Published:
    config = {"model_type": "openai_patches", "details": details, "hundredths": hundredths}
    return Published(names, config, {}, label, notes=notes)


FAMILY = Family(
    name="OpenAI",
    model_types=("openai_tiles", "openai_patches"),
    read=read,
    published=(
        _tile("gpt-4o", "chatgpt-4o-latest", base=85, tile=170),
        _tile("gpt-4.1", base=85, tile=170),
        _tile("gpt-4.5", "gpt-4.5-preview", base=85, tile=170),
        _tile("gpt-4o-mini", base=2833, tile=5667),
        _tile("o1", "o1-pro", base=75, tile=150),
        _tile("o3", base=75, tile=150),
        _tile("gpt-5", "gpt-5-chat-latest", base=70, tile=140),
        _tile("computer-use-preview", base=65, tile=129),
        _patch("gpt-4.1-mini", details=_MINI, hundredths=162, label=SMALL),
        _patch("gpt-4.1-nano", details=_MINI, hundredths=246, label=SMALL),
        _patch("o4-mini", details=_MINI, hundredths=172, label=SMALL),
        _patch("gpt-5-mini", details=_MINI, hundredths=120, notes=(_BILLED.format("1.62", "1.2"),)),
        _patch("gpt-5-nano", details=_MINI, hundredths=150, notes=(_BILLED.format("2.46", "1.5"),)),
        _patch("gpt-5.2", "gpt-5.2-codex", "gpt-5.3-codex", "gpt-5.1-codex-mini", details=_MINI, hundredths=120,
               notes=("the document lists no multiplier; 1.2 is what bills show",)),
        _patch("gpt-5.4", details=_ORIGINAL, hundredths=120,
               notes=("the document lists no multiplier; 1.2 is what bills show",)),
        _patch("gpt-5.4-mini", "gpt-5.4-nano", details=_WIDE, hundredths=120,
               notes=(_BILLED.format("1.62 (nano: 2.46)", "1.2"),
                      "the document allows 1,536 patches; a 1600x1600 picture was billed at 2,500")),
        _patch("gpt-5.5", details=_ORIGINAL | {"auto": (6000, 10_000, None)}, hundredths=120,
               notes=("the document lists no multiplier; 1.2 is what bills show",)),
        _patch("gpt-6", "gpt-5.6", details=_LATEST, hundredths=120, label=QUOTED),
    ),
    rule=DOCUMENTED,
    settings=("detail",),
    examples=(
        Example("gpt-4o", 1024, 1024, None, 765, "vision guide: 768x768, 4 tiles, 85 + 4 x 170"),
        Example("gpt-4o", 2048, 4096, None, 1105, "vision guide: 1024x2048, then 768x1536, 6 tiles"),
        Example("gpt-4o", 4096, 8192, None, 85, "vision guide: low detail is 85 whatever the size",
                arguments={"detail": "low"}),
        Example("gpt-4o", 128, 64, None, 255, "measured at one tile: nothing is enlarged"),
        Example("o4-mini", 1024, 1024, None, 1762, "vision guide: 1024 patches, times 1.72 = 1761.28, rounded up"),
        Example("gpt-4.1-mini", 1800, 2400, None, 2353, "vision guide: 1056x1408, 33 x 44 = 1452 patches, times 1.62"),
        Example("gpt-5-mini", 256, 256, None, 77, "OpenAI community, 2026-06: 64 patches, 77 tokens billed"),
        Example("gpt-5-mini", 512, 512, None, 308, "OpenAI community, 2026-06: 256 patches"),
        Example("gpt-5-mini", 768, 1024, None, 922, "OpenAI community, 2026-06: 768 patches"),
        Example("gpt-5-mini", 1280, 720, None, 1104, "OpenAI community, 2026-06: 920 patches"),
        Example("gpt-5-mini", 1024, 1024, None, 1229, "OpenAI community, 2026-06: 1024 patches"),
        Example("gpt-5-mini", 2048, 768, None, 1844, "OpenAI community, 2026-06: 1536 patches, at the cap"),
        Example("gpt-5.4-mini", 1600, 1600, None, 3000, "OpenAI community, 2026-03: 2500 patches billed"),
        Example("gpt-5.5", 4032, 3024, None, 11868, "OpenAI community: 9890 patches within the cap of 10000"),
        Example("gpt-6", 3360, 3648, None, 14364, "11970 patches measured without a cap, times 1.2"),
    ),
)  # fmt: skip
