"""Numbers and times as English text in prompts."""

from __future__ import annotations

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_POWERS = ((1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand"))


def in_words(number: int) -> str:
    """A whole number from 0 up in British words, as the package num2words 0.5.14 writes it.

    >>> in_words(64), in_words(105), in_words(1234)
    ('sixty-four', 'one hundred and five', 'one thousand, two hundred and thirty-four')
    """
    for power, name in _POWERS:
        if number >= power:
            rest = number % power
            joint = " and " if rest < 100 else ", "
            return f"{in_words(number // power)} {name}" + (joint + in_words(rest) if rest else "")
    if number >= 100:
        rest = number % 100
        return f"{_ONES[number // 100]} hundred" + (f" and {in_words(rest)}" if rest else "")
    if number >= 20:
        return _TENS[number // 10 - 2] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    return _ONES[number]


def clock(seconds: int) -> str:
    """Whole seconds as Python's `timedelta` shows them.

    >>> clock(75), clock(90_061)
    ('0:01:15', '1 day, 1:01:01')
    """
    days, rest = divmod(seconds, 86_400)
    shown = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} day{'s' if days != 1 else ''}, {shown}" if days else shown
