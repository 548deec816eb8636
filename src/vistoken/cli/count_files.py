"""Which sources of `vistoken count` are documents and videos, and what holds for every such file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
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

R = TypeVar("R")


class Files(NamedTuple):
    """The words of a command line by what they name. Patterns of documents and videos are spelt out.

    Folders are among `others`: they are searched for pictures alone, and what they hold besides is left aside with a
    note, as ever.
    """

    documents: Sequence[str]
    videos: Sequence[str]
    others: Sequence[str]

    @classmethod
    def split(cls, words: Sequence[str], all_frames: bool) -> Files:
        if not any(os.path.isfile(word) or _has_marks(word) for word in words):
            return cls((), (), words)  # sizes and folders, for which nothing need be imported
        from vistoken.documents import is_document
        from vistoken.films import is_film

        files = cls([], [], [])
        for file in (file for word in words for file in _spelt_out(word)):
            kind = files.documents if is_document(file, all_frames) else files.videos if is_film(file) else files.others
            assert isinstance(kind, list)
            kind.append(file)
        return files

    def check(self, options: Mapping[str, object]) -> None:
        """Raise `UsageError` for options, by their names, that none of the sources has a use for."""
        given = {name for name, value in options.items() if value is not None and value is not False}
        if not self.documents and (wrong := sorted(given & {"--pages", "--dpi", "--all-frames"})):
            raise UsageError(
                f"{wrong[0]} is for documents, and none of the sources is one (PDF, TIFF of several pages)"
            )
        if not self.videos and not self.others and (wrong := sorted(given & {"--frames", "--duration", "--fps"})):
            raise UsageError(f"{wrong[0]} is for videos, and {self.documents[0]} is none: leave it out")
        if self.videos and "--duration" in given:
            raise UsageError(f"{self.videos[0]} tells its duration: leave out --duration")
        if (named := (*self.documents, *self.videos)) and "--input" in given:
            raise UsageError(f"--input is for sizes and pictures: leave it out for {named[0]}")


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

    def show(
        self, files: Files, pages: str | None, dpi: float | None, all_frames: bool, images_in_prompt: int,
        frames: int | None, fps: float | None,
    ) -> None:  # fmt: skip
        """Print the counts of documents, then those of videos; after them what the prices mean."""
        if files.documents:
            from vistoken.cli.count_documents import count_documents

            source = click.get_current_context().get_parameter_source("images_in_prompt")
            in_prompt = None if source is ParameterSource.DEFAULT else images_in_prompt  # as many as there are pages
            count_documents(files.documents, self, pages, dpi, all_frames, in_prompt)
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
