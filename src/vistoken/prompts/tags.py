"""Layouts that name the parts of a picture with tags and words: Idefics, SmolVLM, Granite-Docling, Gemma 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.prompts.layout import Layout, VideoLayout
from vistoken.prompts.words import clock, in_words
from vistoken.sequence import Image, Marker, Piece, Repeat, Sequence, Text
from vistoken.views.rule import Tiling

if TYPE_CHECKING:
    from vistoken.video import Clip

# The strings that Idefics and its descendants share.
IMAGE = "<image>"
FENCE = Marker("<fake_token_around_image>")
GLOBAL = Marker("<global-img>")
TAG = "<row_{row}_col_{col}>"


@frozen
class FencedViews(Layout):
    """Every view between two fences, of which neighbours share one, also those of two pictures (Idefics2).

    Source: transformers 5.23.0, `models/idefics2/processing_idefics2.py`.
    """

    tokens: int
    image_token: str = IMAGE
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        views = tiling.tiles + (tiling.overview is not None)
        return Sequence((FENCE, Repeat(views, (Image(self.tokens), FENCE))))

    def __str__(self) -> str:
        return f"{self.tokens} image tokens a view, with {FENCE.name} before, between and after"


@frozen
class TaggedTiles(Layout):
    """Tiles with tags of their row and column, a newline after each row, then the whole picture (Idefics3, SmolVLM).

    The tokenizers know tags up to row and column `known`; those beyond are plain text.
    Source: transformers 5.23.0, `models/idefics3/processing_idefics3.py`, `replace_image_token` and `row_col_ids`.
    """

    tokens: int
    known: int = 6
    image_token: str = IMAGE
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        whole = (FENCE, GLOBAL, Image(self.tokens, "the whole picture"), FENCE)
        if tiling.overview is None:
            return Sequence(whole)
        return Sequence((*_rows(tiling.rows, tiling.cols, self.tokens, self.known), Text("\n"), *whole))

    def __str__(self) -> str:
        return f"{self.tokens} image tokens a view, each after {FENCE.name} and its tag"


@frozen
class TaggedPages(Layout):
    """As `TaggedTiles`, but a page of one tile is its row 1, column 1, without an end (Granite-Docling).

    Source: transformers 5.23.0, `models/granite_docling/processing_granite_docling.py`, `replace_image_token`.
    """

    tokens: int
    known: int = 16
    image_token: str = IMAGE
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        rows = _rows(tiling.rows, tiling.cols, self.tokens, self.known)
        if tiling.overview is None:
            return Sequence(rows)
        return Sequence((*rows, Text("\n"), FENCE, GLOBAL, Image(self.tokens, "the whole page"), FENCE))

    def __str__(self) -> str:
        return f"{self.tokens} image tokens a view, each after {FENCE.name} and its tag"


def _rows(rows: int, cols: int, tokens: int, known: int) -> tuple[Piece, ...]:
    """All rows of tiles: with tags that the tokenizer knows, as far as these go."""
    if rows <= known and cols <= known:
        return (Repeat(rows, (Repeat(cols, (FENCE, Marker(TAG), Image(tokens)), "col"), Text("\n")), "row"),)
    tagged, plain = (FENCE, Marker(TAG), Image(tokens)), (FENCE, Text(TAG), Image(tokens))
    within = min(cols, known)
    upper = (Repeat(within, tagged, "col"), Repeat(cols - within, plain, "col", within + 1), Text("\n"))
    lower = (Repeat(cols, plain, "col"), Text("\n"))
    top = min(rows, known)
    return Repeat(top, upper, "row"), Repeat(rows - top, lower, "row", top + 1)


@frozen
class FencedCross(Layout):
    """One `<image>` between two fences; what the picture shows comes by cross-attention alone (Idefics).

    `<image>` is a word of the vocabulary there, which no visual embedding replaces: a marker. The LLM reads the
    `latents` of the resampler; where there is none, all patches and the `prefix` of the tower.
    Source: transformers 5.23.0, `models/idefics/processing_idefics.py` and `modeling_idefics.py`.
    """

    latents: int | None
    prefix: int
    image_token: str = IMAGE
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        return Sequence((FENCE, Marker(self.image_token), FENCE))

    def cross_tokens(self, tiling: Tiling) -> int:
        return self.latents if self.latents is not None else tiling.patches + self.prefix * tiling.segments

    def __str__(self) -> str:
        return f"{self.image_token} between two {FENCE.name}; the picture itself comes by cross-attention"


@frozen
class PictureAndCrops(Layout):
    """The picture between two markers, and a sentence that presents its crops, where there are any (Gemma 3).

    Source: transformers 5.23.0, `models/gemma3/processing_gemma3.py`, `replace_image_token`.
    """

    tokens: int
    image_token: str
    start: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        picture = (Marker(self.start), Image(self.tokens), Marker(self.end))
        if tiling.overview is None:
            return Sequence((Text("\n\n"), *picture, Text("\n\n")))
        return Sequence((
            Text("Here is the original image \n\n"), *picture,
            Text("\n\n and here are some crops to help you see better \n\n"), *picture,
            Repeat(tiling.tiles - 1, (Text("\n\n \n\n"), *picture)), Text("\n\n"),
        ))  # fmt: skip

    def __str__(self) -> str:
        return f"{self.tokens} image tokens a view, between {self.start} and {self.end}"


@frozen
class NarratedFrames(VideoLayout):
    """A sentence about the video, then every frame as one picture after its time (SmolVLM).

    A video whose rate nobody knows is taken for 24 frames a second.
    Source: transformers 5.23.0, `models/smolvlm/processing_smolvlm.py`, `replace_video_token`.
    """

    tokens: int
    video_token: str = IMAGE
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        fps = clip.source.fps or 24
        seconds = [index / fps for index in clip.indices]
        lasting = clip.source.duration
        intro = (
            f"You are provided the following series of {in_words(clip.frames)} frames "
            f"from a {clock(int(seconds[-1] if lasting is None else lasting))} [H:MM:SS] video.\n"
        )
        frame = (FENCE, GLOBAL, Image(self.tokens), FENCE)
        pieces: list[Piece] = []
        for second in seconds:
            minute, rest = int(second // 60), int(second % 60)
            pieces += (Text(f"{intro}\nFrame from {minute:02d}:{rest:02d}:"), *frame)
            intro = ""  # one text with the first frame's time, as a tokenizer sees it
        return Sequence((*pieces, Text("\n\n")))

    def __str__(self) -> str:
        return f"a sentence, then {self.tokens} image tokens and 3 markers a frame, after its time"
