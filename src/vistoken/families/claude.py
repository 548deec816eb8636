"""Claude behind the API: patches of 28 pixels after shrinking under a long edge and a number of patches.

The guides say ceil(width / 28) x ceil(height / 28). The older wording, width x height / 750, is an approximation of it
(28 x 28 = 784) and no longer printed.
Sources: Anthropic's guides "Vision", "Vision coordinates" and "PDF support" (platform.claude.com/docs), as public
repositories quote them between July and September 2026; the printed examples, and published bills of Haiku 4.5, agree.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.family import Example, Family, Files, Published, Reading
from vistoken.geometry import Patch
from vistoken.model_spec import Crowd, Label
from vistoken.paging import PageSpec
from vistoken.prompts.bill import PatchBill
from vistoken.views.vendor import EdgeAndTokens

DOCUMENTED = Label("documented", "Anthropic's vision guide as public repositories quote it")
# A page becomes an image that is counted as pictures are, and its text comes besides (guide "PDF support"). Not how
# large an image: published counts of a scanned page are 1,592 tokens with the prompt for Haiku 4.5 and 1,600 for
# Opus 5.5, so the larger limits of new models do not hold for pages, and all that follows is the standard tier.
STANDARD = (1568, 1568)
PAGE = Label(
    "inferred",
    "Anthropic's guide on PDFs: pages as images; that they stay within the standard limits of 1,568 pixels and tokens "
    "is what published counts of a scanned page show on either tier",
)
_TEXT = (
    "of a PDF sent as a file: the text of its pages is billed besides, and not counted here; a request takes at most "
    "600 pages, 100 where the context is below a million tokens"
)


def read(files: Files) -> Reading:
    """Two limits. Above 20 pictures in a request the API refuses sides above 2000 pixels."""
    config = files.config
    rule = EdgeAndTokens(config.integer("edge"), config.integer("patches"), Patch.square(28))
    crowd = Crowd(20, replace(rule, most_side=2000), PatchBill())
    pages = PageSpec(EdgeAndTokens(*STANDARD, Patch.square(28)), PatchBill(), PAGE, (_TEXT,))
    return Reading(None, rule, None, PatchBill(), computes=False, crowds=(crowd,), pages=pages)


def _published(*names: str, high: bool) -> Published:
    edge, patches = (2576, 4784) if high else (1568, 1568)
    return Published(names, {"model_type": "claude", "edge": edge, "patches": patches}, {}, DOCUMENTED)


FAMILY = Family(
    name="Claude",
    model_types=("claude",),
    read=read,
    published=(
        _published("claude-haiku-4.5", "claude-haiku-4-5", high=False),
        _published("claude-sonnet-4.6", "claude-sonnet-4-6", "claude-sonnet-4.5", "claude-sonnet-4-5", high=False),
        _published("claude-opus-4.6", "claude-opus-4-6", "claude-opus-4.5", "claude-opus-4-5", high=False),
        _published("claude-opus-4.7", "claude-opus-4-7", high=True),
        _published("claude-opus-4.8", "claude-opus-4-8", high=True),
        _published("claude-opus-5", "claude-opus-5.5", "claude-opus-5-5", high=True),
        _published("claude-sonnet-5", "claude-sonnet-5.5", "claude-sonnet-5-5", high=True),
    ),
    rule=DOCUMENTED,
    settings=(),
    examples=(
        Example("claude-opus-5", 1000, 1000, None, 1296, "vision guide: 36 x 36"),
        Example("claude-haiku-4.5", 1000, 1000, None, 1296, "vision guide: 36 x 36, within both limits"),
        Example("claude-opus-4.7", 1920, 1080, None, 2691, "vision guide, high-resolution tier: 39 x 69"),
        Example("claude-sonnet-4.6", 1920, 1080, None, 1560, "vision guide, standard tier: 1456x819, 30 x 52"),
        Example("claude-haiku-4.5", 1075, 1520, None, 1551, "vision-coordinates guide: 924x1307, 47 x 33"),
    ),
)  # fmt: skip
