"""A prompt of 50 base64 pictures of 3 MB: `count_messages` against a full decode of the same strings.

    python benchmarks/messages.py [rounds]

The pictures are noise of every scale, as photographs have it, with an EXIF orientation; every string is another object.
The peers do what a caller without vistoken does to learn the sizes: base64 decoded whole and `PIL.Image.open` with the
orientation, and the same with the pixels decoded (`load`, five pictures, times ten). CPU seconds on one thread.
Goal: under 20 ms.
"""

import base64
import io
import sys
import time
from statistics import median

from machine import heading, interleaved, ratio
from PIL import Image

from vistoken import count_messages

PICTURES = 50
ORIENTATION = 0x0112


def noise(seed: int, size: tuple[int, int]) -> Image.Image:
    """Gaussian noise of six scales, the fine ones over the coarse."""
    picture = Image.new("L", size, 128)
    for scale in (1024, 256, 64, 16, 4, 1):
        small = Image.effect_noise((size[0] // scale + 2, size[1] // scale + 2), 40 + seed)
        picture = Image.blend(picture, small.resize(size, Image.Resampling.BICUBIC), 0.3)
    return Image.merge("RGB", (picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), picture))


def encoded(format: str, size: tuple[int, int], **how: object) -> list[str]:
    """Five pictures, ten strings each."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    strings = []
    for seed in range(5):
        file = io.BytesIO()
        noise(seed, size).save(file, format, exif=exif, **how)
        data = file.getvalue()
        print(f"  {format} {size[0]}x{size[1]}: {len(data):,} bytes", file=sys.stderr)
        strings += [base64.b64encode(data).decode() for _ in range(PICTURES // 5)]
    return strings


def request(strings: list[str], media: str) -> list[dict]:
    parts = [{"type": "image_url", "image_url": {"url": f"data:{media};base64,{text}"}} for text in strings]
    return [{"role": "user", "content": [{"type": "text", "text": "Which of these is the oldest?"}, *parts]}]


def opened(text: str, load: bool) -> tuple[int, int]:
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    size = image.size if image.getexif().get(ORIENTATION, 1) < 5 else image.size[::-1]
    if load:
        image.load()
    return size


def seconds(call, times: int = 1):
    def run() -> float:
        start = time.process_time()
        call()
        return (time.process_time() - start) * times

    return run


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print(heading(f"A prompt of {PICTURES} base64 pictures of 3 MB, CPU time, one thread", "vistoken", "pillow"))
    print("| times faster than opening | than decoding pixels | pictures | count_messages, ms | open, ms | load, ms |")
    print("|---:|---:|---|---:|---:|---:|")
    for format, size, how in (("JPEG", (4000, 3000), {"quality": 84}), ("PNG", (1400, 1000), {}),
                              ("WEBP", (4000, 3000), {"quality": 80})):  # fmt: skip
        strings = encoded(format, size, **how)
        messages = request(strings, f"image/{format.lower()}")
        result = count_messages(messages, model="gpt-5-mini")
        assert [(block.count.size.width, block.count.size.height) for block in result.blocks[1:]] == [
            opened(text, False) for text in strings
        ]
        taken = interleaved({
            "ours": seconds(lambda messages=messages: count_messages(messages, model="gpt-5-mini")),
            "open": seconds(lambda strings=strings: [opened(text, False) for text in strings]),
            "load": seconds(lambda strings=strings: [opened(text, True) for text in strings[::10]], 10),
        }, rounds)  # fmt: skip
        faster = [ratio(taken[peer], taken["ours"]) for peer in ("open", "load")]
        milliseconds = " | ".join(f"{1000 * median(values):,.1f}" for values in taken.values())
        print(f"| {faster[0]:.0f} | {faster[1]:.0f} | {format} {size[0]}x{size[1]} | {milliseconds} |")


if __name__ == "__main__":
    main()
