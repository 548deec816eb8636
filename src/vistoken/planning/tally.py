"""Rows that sum to a total."""

from __future__ import annotations

from typing import Any

from vistoken.frozen import frozen


@frozen
class Tally:
    """Named rows that sum to `total`, and the convention that they follow."""

    rows: tuple[tuple[str, int], ...]
    convention: str

    @property
    def total(self) -> int:
        return sum(value for _, value in self.rows)

    def as_dict(self) -> dict[str, Any]:
        return {"total": self.total, "rows": dict(self.rows), "convention": self.convention}
