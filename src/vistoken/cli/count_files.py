"""Which sources of `vistoken count` are documents and videos, and what holds for every such file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from vistoken.cli.shared import Failures, echo_json, note
from vistoken.errors import InputError, UsageError

if TYPE_CHECKING:
    from vistoken.cli.count_price import Prices
    from vistoken.counting import TokenCount
    from vistoken.counting.documents import DocumentCount
    from vistoken.model_spec import ModelSpec
    from vistoken.video import Clip, Source

R = TypeVar("R")


class Files:
    """The words of a command line by what they name, and what documents are asked for.

    Patterns of documents and videos are spelt out. Folders are among `others`: they are searched for pictures alone,
    and what they hold besides is left aside with a note, as ever.
    """

    def __init__(self, words: Sequence[str], *, pages: str | None, dpi: float | None, all_frames: bool) -> None:
        self.pages, self.dpi, self.all_frames = pages, dpi, all_frames
        self.documents, self.videos, self.others = list[str](), list[str](), list[str]()
        if not any(os.path.isfile(word) or _has_marks(word) for word in words):
            self.others += words  # sizes and folders, for which nothing need be imported
            return
        from vistoken.documents import is_document
        from vistoken.films import is_film

        for file in (file for word in words for file in _spelt_out(word)):
            if is_document(file, all_frames):
                self.documents.append(file)
            else:
                (self.videos if is_film(file) else self.others).append(file)

    @classmethod
    def taken(cls, words: Sequence[str], options: dict[str, Any]) -> Files:
        """Take the options of documents out of all that were given."""
        return cls(words, **{name: options.pop(name) for name in ("pages", "dpi", "all_frames")})

    @property
    def found(self) -> list[str]:
        """Documents and videos."""
        return [*self.documents, *self.videos]

    @property
    def option(self) -> str:
        """The first option for documents that is given, as it is written; empty where none is."""
        given = {"--all-frames": self.all_frames, "--dpi": self.dpi is not None, "--pages": self.pages is not None}
        return next((name for name, told in given.items() if told), "")

    def check(self, *, duration: float | None, fed: object, frames: int | None, fps: float | None) -> None:
        """Raise `UsageError` for options that none of the sources has a use for."""
        if self.option and not self.documents:
            raise UsageError(f"{self.option} is for documents (PDF, TIFF of several pages), and no source is one")
        if self.videos and duration is not None:
            raise UsageError(f"{self.videos[0]} tells its duration: leave out --duration")
        if self.found and fed is not None:
            raise UsageError(f"--input is for sizes and pictures: leave it out for {self.found[0]}")
        if self.videos and fps is not None:
            note(
                f"--fps {fps:g} is taken for the rate of the file itself, whatever it says; "
                "for the rate at which a model takes frames write --set sampling_fps="
            )
        film = {"--frames": frames, "--duration": duration, "--fps": fps}
        wrong = next((name for name, value in film.items() if value is not None), None)
        if wrong and self.documents and not self.videos and not self.others:
            raise UsageError(f"{wrong} is for videos, and {self.documents[0]} is none: leave it out")

    def fitted(
        self, words: Sequence[str], film: Clip | Source | None, *, frames: int | None, fps: float | None
    ) -> tuple[Sequence[str], Clip | Source | None]:
        """The words and film of which --within tells what fits: of a video file its size and what it holds."""
        if self.documents:
            raise UsageError(
                f"--within, --context and --write have no use for documents: leave out {self.documents[0]}"
            )
        if not self.videos:
            return words, film
        from vistoken.cli.one_video import spelt_out
        from vistoken.counting.tokens import video

        one = spelt_out({"sources": words, "frames": frames, "duration": None, "fps": fps})
        return one["sources"], video(one["frames"], one["duration"], one["fps"])


def _has_marks(word: str) -> bool:
    return any(mark in word for mark in "*?[")


def _spelt_out(word: str) -> Iterator[str]:
    """The files of a pattern of documents or videos, by its ending; other patterns are for pictures, however many."""
    from vistoken.documents import ENDINGS
    from vistoken.films import ENDINGS as FILMS
    from vistoken.sources import expand

    if os.path.lexists(word) or not _has_marks(word) or not word.lower().endswith((*ENDINGS, *FILMS)):
        yield word
        return
    try:
        yield from (source.name for source in expand(word))
    except InputError:
        yield word  # which is told of where it is expanded again


class OfFiles(NamedTuple):
    """What is asked of every file: models, by the words that name them too, and how they are shown."""

    words: Sequence[str]
    specs: Sequence[ModelSpec]
    failures: Failures
    as_json: bool
    explain: bool
    prices: Prices | None

    def show(self, files: Files, images_in_prompt: int, frames: int | None, fps: float | None) -> None:
        """Print the counts of documents, then those of videos; after them what the prices mean."""
        if files.documents:
            from vistoken.cli.count_documents import count_documents

            source = click.get_current_context().get_parameter_source("images_in_prompt")
            in_prompt = None if source is ParameterSource.DEFAULT else images_in_prompt  # as many as there are pages
            count_documents(files, self, in_prompt)
        if files.videos:
            from vistoken.cli.count_videos import count_videos

            count_videos(files.videos, self, frames=frames, fps=fps)
        if self.prices and not self.as_json:
            note(self.prices.unit)

    def tried(self, name: str, count: Callable[[ModelSpec], R]) -> list[R | None]:
        """The result of every model; of several, one that refuses the file does not stop the others."""
        results: list[R | None] = []
        for spec in self.specs:
            try:
                results.append(count(spec))
            except (InputError, UsageError) as error:
                if isinstance(error, UsageError) and len(self.specs) == 1:
                    raise
                self.failures.add(InputError(f"{spec.name}: {error}"), name)
                results.append(None)
        return results

    def tell(self, head: dict[str, Any], results: Sequence[DocumentCount | TokenCount | None]) -> bool:
        """Print results one by one, where JSON or an explanation is asked for; else return False, for a table."""
        for word, result in zip(self.words, results, strict=True):
            if result and self.as_json:
                explanation = {"explanation": result.explain()} if self.explain else {}
                cost = self.prices.twin(word, result.tokens) if self.prices else {}
                echo_json({**head, **result.as_dict(), **cost, **explanation})
            elif result and self.explain:
                click.echo(result.explain())
                self.tell_price(word, result.tokens, "  price")
        return self.as_json or self.explain

    def tell_price(self, word: str, tokens: int, what: str) -> None:
        if self.prices:
            click.echo(f"{what}: {self.prices.show(word, tokens)}")
