"""The verb look: what a model sees, drawn from sizes and pixels; features come in as plain arrays."""

from __future__ import annotations

from vistoken.looking.drawing import draw as draw
from vistoken.looking.heat import Features as Features
from vistoken.looking.toy import numbers as numbers

__all__ = ["Features", "draw", "numbers"]
