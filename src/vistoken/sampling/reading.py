"""Values of video processors that several sampling rules read."""

from __future__ import annotations

from vistoken.configs import Config


def sampling_rate(processor: Config) -> float | None:
    """The rate at which frames are taken: the setting `sampling_fps`, else the processor's own `fps`.

    `fps` itself is an argument of `count`: the frame rate of the video.
    """
    name = "sampling_fps" if "sampling_fps" in processor.overrides else "fps"
    return processor.number(name, 1e-6, 10_000) if processor.raw(name) is not None else None


def optional_integer(processor: Config, name: str) -> int | None:
    """A whole number, or None where the value is null."""
    return processor.integer(name, high=10**6) if processor.raw(name) is not None else None
