"""Numbers as reports write them."""

from __future__ import annotations

from collections.abc import Iterable

from vistoken.planning.report_parts import Table

LAYERED = "a sum over layers"  # where there is no short formula


def scaled(value: int) -> str:
    """A count in millions (M) or billions (G); exact below 100,000.

    >>> scaled(17_563_828_224), scaled(768)
    ('17.56 G', '768 ')
    """
    if value < 100_000:
        return f"{value:,} "
    return f"{value / 1e9:,.2f} G" if value >= 1e8 else f"{value / 1e6:,.2f} M"


def millions(value: int) -> str:
    """A count of parameters.

    >>> millions(85_798_656), millions(7_615_000_000)
    ('85.80 M', '7,615.00 M')
    """
    return f"{value / 1e6:,.2f} M" if value >= 100_000 else f"{value:,}"


def gigabytes(value: int) -> str:
    """Bytes in MiB, from 1 GiB on in GiB.

    >>> gigabytes(346_270_624), gigabytes(3 * 2**30)
    ('330.2 MiB', '3.00 GiB')
    """
    return f"{value / 2**30:,.2f} GiB" if value >= 2**30 else f"{value / 2**20:,.1f} MiB"


def byte_table(header: str, rows: Iterable[tuple[str, int, str]]) -> Table:
    """Names with bytes, in full and in MiB, and how they come about; a row with their sum."""
    known = [row for row in rows if row[1]]
    whole = sum(value for _, value, _ in known)
    cells = [(name, f"{value:,}", f"{value / 2**20:,.1f}", how) for name, value, how in known]
    last = ("total", f"{whole:,}", f"{whole / 2**20:,.1f}", "")
    return Table((header, "bytes", "MiB", "how"), (*cells, last), words=(0, 3), summed=True)
