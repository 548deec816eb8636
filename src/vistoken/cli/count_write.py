"""`vistoken count --within N --write FOLDER`: the pictures as files that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vistoken.cli.shared import Failures, note
from vistoken.counting.written import Written, place, relative_name, write_picture
from vistoken.errors import InputError, UsageError
from vistoken.pixels import MAX_PIXELS

if TYPE_CHECKING:
    from vistoken.cli.count_within import Found
    from vistoken.counting.fitting import Fit


def write(folder: str, found: Sequence[Found[Fit]], max_pixels: int | None, failures: Failures) -> None:
    """Every name is checked before anything is written. Raises `OutputError` where one is taken or leads out."""
    jobs = list[Written]()
    for one in found:
        source, fit = one.source, one.fit
        if not source.is_picture:
            raise UsageError(f"{source.name} is a size: --write needs pictures, since there is nothing to resize")
        if fit.image is None:
            failures.add(InputError(f"{source.name} is not written: no size of it fits, but {fit.settings[0]} does"))
            continue
        try:
            jobs.append(Written.of(source.name, relative_name(one.word, source.name), None if fit.fits else fit.image))
        except InputError as error:
            failures.add(error, source.name)
    done = list[Written]()
    for job, path in place(folder, jobs):
        try:
            write_picture(job, path, max_pixels or MAX_PIXELS)
            done.append(job)
        except InputError as error:
            failures.add(error, job.source)
    copied = sum(job.size is None for job in done)
    note(f"{folder}: {len(done) - copied:,} resized (Lanczos, upright, no metadata but the colour profile), "
         f"{copied:,} that fit already copied as they are")  # fmt: skip
