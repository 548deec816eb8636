"""Files of several pictures: PDFs, TIFFs of several pages, animations. Their pages are asked for their size alone.

Nothing is rendered and no pixel decoded. The extra `pdf` (pypdfium2) reads PDFs, Pillow the others.
"""

from __future__ import annotations

import math
import os
import re
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vistoken.errors import InputError, MissingExtra, UsageError, VistokenError, shown
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.sizes import Sizes
from vistoken.sources import BROKEN, check_file, image_size, open_image, shown_name

if TYPE_CHECKING:
    from types import ModuleType

    from PIL import Image

# The default of pdf2image (`convert_from_path`), with which people most often make pictures of pages for a model.
DPI = 200.0
MOST_DPI = 10_000.0
# So many pages are counted at once at most; of a longer document, a part.
MAX_PAGES = 100_000
# Of patterns, those with these endings are for documents. Of a file the content decides, but for what is named a PDF.
ENDINGS = (".pdf", ".tif", ".tiff")
# Of these an animation has frames of one size, that of its canvas. Other files of several pictures hold previews.
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_RANGE = re.compile(r"(\d+)(-?)(\d*)", re.ASCII)


class Document(ABC):
    """An open document: its pages are numbered from 1 to `total`."""

    kind: str
    unit = "page"
    total: int

    @abstractmethod
    def size(self, number: int, dpi: float) -> Size:
        """The size in pixels of the page of this number. Raises `InputError`."""


class Pdf(Document):
    """Pages as pypdfium2 renders them at some dots per inch: crop box and rotation applied, both sides rounded up.

    PDFium takes a page without a usable MediaBox for US Letter, and leaves UserUnit aside.
    Source: pypdfium2 5.15, `PdfPage.render`; ISO 32000-1, 7.7.3.3.
    """

    kind = "PDF"

    def __init__(self, opened: Any) -> None:
        self._opened, self.total = opened, len(opened)

    def size(self, number: int, dpi: float) -> Size:
        try:
            sides = self._opened.get_page_size(number - 1)
        except _library().PdfiumError:
            raise InputError("it cannot be read") from None
        width, height = (math.ceil(side * (dpi / 72)) for side in sides)  # a point is 1/72 of an inch
        if not width or not height:
            raise InputError("its crop box leaves nothing of it")
        return Size(height=height, width=width)


class Tiff(Document):
    """Pages of a TIFF: each has a size of its own; dots per inch do not matter."""

    kind = "TIFF"

    def __init__(self, image: Image.Image) -> None:
        self._image, self.total = image, 0
        while self.total <= MAX_PAGES and _has(image, self.total):
            self.total += 1

    def size(self, number: int, dpi: float) -> Size:
        self._image.seek(number - 1)
        return image_size(self._image)


class Animation(Document):
    """Frames of an animated picture: all of the size of its canvas."""

    unit = "frame"

    def __init__(self, image: Image.Image) -> None:
        self.kind, self.total, self._size = str(image.format), getattr(image, "n_frames", 1), image_size(image)

    def size(self, number: int, dpi: float) -> Size:
        return self._size


@frozen
class Page:
    """A page's number, from 1, and its size; `size` is None where it has none, for the reason `problem`."""

    number: int
    size: Size | None
    problem: str = ""


@frozen
class Pages:
    """The pages of a document that are looked at, and their sizes.

    `kind` is PDF, TIFF, or an animation's format, whose frames stand for pages (`unit`). `numbers` are those of the
    pages, from 1, out of `total` in the file; `sizes` their sizes in pixels. `dpi` is None where pages are pictures
    already.
    """

    name: str
    kind: str
    unit: str
    total: int
    dpi: float | None
    numbers: Sequence[int]
    sizes: Sizes


def is_document(path: str, all_frames: bool = False) -> bool:
    """Whether a file has pages that are pictures of their own; with `all_frames`, animations have too.

    Only the first bytes are read, of a TIFF the directory of its second page.
    """
    if not os.path.isfile(path):
        return False
    head = _head(path)
    if _is_pdf(path, head):
        return True
    if not all_frames and not head.startswith((b"II", b"MM")):  # byte order of a TIFF
        return False
    try:
        with open_image(path) as image:
            return _has(image, 1) if image.format == "TIFF" else all_frames and _is_animation(image)
    except InputError:
        return False  # whoever reads it as a picture says what is wrong


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except OSError:
        return b""  # as above


def _is_pdf(path: str, head: bytes) -> bool:
    return path.lower().endswith(ENDINGS[0]) or head.startswith(b"%PDF-")


def _is_animation(image: Image.Image) -> bool:
    try:
        return image.format in ANIMATED and getattr(image, "n_frames", 1) > 1
    except BROKEN:
        return False


def _has(image: Image.Image, index: int) -> bool:
    """Whether the file has a page of this index, from 0; pages behind a broken one are not found."""
    try:
        image.seek(index)
    except BROKEN:  # the end is an EOFError, which is among them
        return False
    return True


@contextmanager
def opened(path: str | os.PathLike[str], all_frames: bool = False) -> Iterator[Document]:
    """Open a document: a PDF, a TIFF, or an animation where `all_frames` is asked for.

    Raises `InputError` that names the file, `MissingExtra`.
    """
    path = os.fsdecode(path)
    name = shown_name(path)
    check_file(path, name)
    if _is_pdf(path, _head(path)):
        with _opened_pdf(path, name) as pdf:
            yield pdf
        return
    with open_image(path) as image:
        if image.format == "TIFF":
            yield Tiff(image)
        elif all_frames and _is_animation(image):
            yield Animation(image)
        else:
            raise InputError(f"{name}: no PDF and no TIFF, so it has no pages: count it as a picture")


@contextmanager
def _opened_pdf(path: str, name: str) -> Iterator[Pdf]:
    library = _library()
    with open(path, "rb") as file:  # not by its path, of which pypdfium2 takes UTF-8 alone
        try:
            pdf = library.PdfDocument(file)
        except library.PdfiumError as error:
            raise InputError(f"{name}: {_reason(library, error)}") from None
        try:
            yield Pdf(pdf)
        finally:
            pdf.close()


def _reason(library: ModuleType, error: Exception) -> str:
    if library.raw.FPDF_GetLastError() == library.raw.FPDF_ERR_PASSWORD:
        return "this PDF is encrypted and needs a password: remove that first, for example with qpdf --decrypt"
    return f"this is no PDF, or a damaged one ({error})"


def _library() -> ModuleType:
    try:
        import pypdfium2
    except ImportError:
        raise MissingExtra("pypdfium2", "pdf", "reading PDF files") from None
    return pypdfium2  # type: ignore[no-any-return, unused-ignore]


def read_pages(
    path: str | os.PathLike[str],
    *,
    pages: str | None = None,
    dpi: float = DPI,
    all_frames: bool = False,
    failed: Callable[[InputError], None] | None = None,
) -> Pages:
    """The sizes of a document's pages. `failed` is told of each that has none; without it, the first is an error.

    Raises `UsageError` for words that mean no pages, `InputError`, `MissingExtra`.
    """
    check_dpi(dpi)
    name = os.fsdecode(path)
    with opened(path, all_frames) as document:
        numbers, sound = chosen_pages(pages, document, shown_name(name)), array("I")

        def found() -> Iterator[Size]:
            for page in _each(document, numbers, dpi):
                if page.size is not None:
                    sound.append(page.number)
                    yield page.size
                    continue
                error = InputError(f"{shown_name(name)}: {document.unit} {page.number}: {page.problem}")
                if failed is None:
                    raise error
                failed(error)

        sizes = Sizes(found())
        shown_dpi = dpi if document.kind == Pdf.kind else None
        return Pages(name, document.kind, document.unit, document.total, shown_dpi, sound, sizes)


def _each(document: Document, numbers: Sequence[int], dpi: float) -> Iterator[Page]:
    for number in numbers:
        try:
            yield Page(number, document.size(number, dpi))
        except VistokenError as error:  # a page that is too large is a UsageError
            yield Page(number, None, str(error))
        except BROKEN as error:
            yield Page(number, None, str(error) or type(error).__name__)


def check_dpi(dpi: object) -> float:
    """Raise `UsageError` for what is no number of dots per inch."""
    if isinstance(dpi, bool) or not isinstance(dpi, int | float) or not 1 <= dpi <= MOST_DPI:  # NaN is not
        raise UsageError(f"dpi is {shown(dpi)}: it must be dots per inch, from 1 to {MOST_DPI:,.0f}")
    return float(dpi)


def chosen_pages(text: str | None, document: Document, name: str) -> Sequence[int]:
    """The numbers that `text` means, such as `1-5,9` or `7-`, ascending, each once; all for None.

    Raises `UsageError` for other words, `InputError` for pages that the document does not have.
    """
    total, unit = document.total, document.unit
    if not total:
        raise InputError(f"{name}: the document holds no {unit}")
    if text is not None:
        return _numbers(text, total, unit, name)
    if total > MAX_PAGES:
        raise _too_many(f"{name} has {total:,} {unit}s")
    return range(1, total + 1)


def _numbers(text: str, total: int, unit: str, name: str) -> Sequence[int]:
    found = set[int]()
    for word in text.split(","):
        match = _RANGE.fullmatch(word.strip()) if len(word) <= 40 else None
        first, dash, last = match.groups() if match else ("0", "", "")
        low, high = int(first), int(last or total) if dash else int(first)
        if not low > 0 or (last and high < low):
            raise UsageError(f"pages are {shown(text)}: write numbers from 1 and ranges, for example 1-5,9 or 7-")
        if max(low, high) > total:
            raise InputError(f"{name} has {total:,} {unit}{'s' * (total > 1)}: there is no {unit} {max(low, high):,}")
        if high - low >= MAX_PAGES:
            raise _too_many(f"{name}: pages {low:,} to {high:,}")
        found.update(range(low, high + 1))
    if len(found) > MAX_PAGES:
        raise _too_many(f"{name}: {len(found):,} {unit}s")
    return sorted(found)


def _too_many(what: str) -> InputError:
    return InputError(
        f"{what}: more than the {MAX_PAGES:,} that are counted at once; choose some (pages 1-{MAX_PAGES})"
    )
