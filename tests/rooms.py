"""Folders that last as long as the session: small models are saved once and read by many tests."""

from pathlib import Path
from tempfile import TemporaryDirectory

_house: TemporaryDirectory | None = None


def room(name: str) -> Path:
    """A new folder of this name."""
    global _house
    _house = _house or TemporaryDirectory(prefix="vistoken-tests-")
    folder = Path(_house.name) / name
    folder.mkdir()
    return folder


def clear() -> None:
    global _house
    if _house:
        _house.cleanup()
        _house = None
