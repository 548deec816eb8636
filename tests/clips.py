"""Video files written by PyAV: plain frames, each a little brighter than the one before."""

from fractions import Fraction

import pytest

# Ending -> codec and format of its pixels.
KINDS = {"mp4": ("mpeg4", "yuv420p"), "mov": ("mjpeg", "yuvj420p"), "mkv": ("ffv1", "bgr0"), "avi": ("mpeg4", "yuv420p"),
         "webm": ("libvpx", "yuv420p"), "ts": ("mpeg2video", "yuv420p"), "m4v": ("libx264", "yuv420p")}  # fmt: skip


def write(path, frames=6, size=(64, 48), rate=10, turned=None, pixel=None, times=None):
    """A film of plain frames; `times` are those of the frames in ticks of the rate."""
    av, np = pytest.importorskip("av"), pytest.importorskip("numpy")
    codec, pixels = KINDS[path.suffix[1:]]
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    options = {"format": "mp4"} if path.suffix == ".m4v" else {}
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        if pixel:
            stream.codec_context.sample_aspect_ratio = pixel
        if turned:
            stream.set_display_rotation(turned)
        container.start_encoding()  # which writes the header even where no frame follows
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(
                np.full((size[1], size[0], 3), number * 6 % 256, np.uint8), format="rgb24"
            )
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)
