"""Sizes with orientation of 20,000 files: vistoken's header reader against Pillow.

    python benchmarks/headers.py [rounds] [files]

The files are made in a temporary folder (about 600 MB): JPEG and PNG of 320x240 to 4000x3000 pixels, half of each with
Exif as cameras write it, a thumbnail of 160x120 included. The peer is `PIL.Image.open(path).getexif()`, which decodes a
PNG without an eXIf chunk before the pixels, to look for one behind them (of those it gets one file in 20, and its time
counts twentyfold); beside it Pillow's road of vistoken, which
does not (`sources.pillows_size`). CPU seconds, files in the system's cache.
Goal: at least 3 times the rate of the peer, memory flat.
"""

import io
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from machine import heading, interleaved, ratio
from PIL import Image

from vistoken.sources import image_size, pillows_size

SIDES = [(320, 240), (640, 480), (1280, 720), (1920, 1080), (4000, 3000)]
KINDS = ["JPEG with Exif", "JPEG without", "PNG with eXIf", "PNG without"]
MEMORY = """
import sys
from pathlib import Path
from vistoken.sources import image_size
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
paths = sorted(map(str, Path(sys.argv[1]).iterdir()))
for path in paths[:100]:
    image_size(path)
before = peak()
for path in paths:
    image_size(path)
print(peak() - before)
"""


def picture(width: int, height: int) -> Image.Image:
    """Soft shapes and a little grain, so that files are neither empty nor noise."""
    grain = Image.effect_noise((width // 8, height // 8), 60).resize((width, height))
    return Image.merge("RGB", (grain, grain.transpose(Image.Transpose.ROTATE_180), Image.new("L", grain.size, 90)))


def camera(orientation: int, endian: str) -> bytes:
    """Exif of a camera: the tags that DC-008 asks for in the first directory, a second one, and a thumbnail."""
    exif = Image.Exif()
    exif.endian = endian
    exif.update({0x010F: "Maker", 0x0110: "Model 7", 0x0112: orientation, 0x011A: 72.0, 0x011B: 72.0, 0x0128: 2,
                 0x0131: "Firmware 1.0", 0x0132: "2024:05:06 07:08:09", 0x0213: 1})  # fmt: skip
    exif.get_ifd(0x8769).update({0x829A: 0.01, 0x829D: 2.8, 0x8827: 100, 0x9003: "2024:05:06 07:08:09"})
    thumbnail = io.BytesIO()
    picture(160, 120).save(thumbnail, "JPEG")
    return exif.tobytes() + thumbnail.getvalue()


def contents(kind: str) -> list[bytes]:
    made = []
    for number, (width, height) in enumerate(SIDES):
        file = io.BytesIO()
        exif = {} if "without" in kind else {"exif": camera((1, 6, 8, 3, 6)[number], "<>"[number % 2])}
        picture(width, height).save(file, kind[:4].strip(), **exif)
        made.append(file.getvalue())
    return made


def write(folder: Path, count: int) -> dict[str, list[str]]:
    """`count` files, the same number of each kind; large pictures are rarer, so that the folder stays small."""
    chance, paths = random.Random(0), {}
    for kind in KINDS:
        pool, names = contents(kind), []
        for number, which in enumerate(chance.choices(range(len(pool)), (40, 30, 20, 9, 1), k=count // len(KINDS))):
            path = folder / f"{kind.replace(' ', '-').lower()}-{number:05d}.{kind[:4].strip().lower()}"
            path.write_bytes(pool[which])
            names.append(str(path))
        paths[kind] = names
    return paths


def peer(path: str) -> None:
    with Image.open(path) as image:
        image.getexif().get(0x0112)


READERS = {"ours": image_size, "peer": peer, "road": pillows_size}


def seconds(function, paths: list[str], share: int = 1) -> float:
    start = time.process_time()
    for path in paths[::share]:
        function(path)
    return share * (time.process_time() - start)


def case(function, paths: list[str], share: int):
    return lambda: seconds(function, paths, share)


def together(rounds: list[list[float]]) -> list[float]:
    return [sum(values) for values in zip(*rounds, strict=True)]


def report(taken: dict, each: int) -> None:
    """A line a kind, and for several kinds together; `each` is the number of files of a kind."""
    print("| files | times the peer's rate | times Pillow's road | ours, us | open + getexif, us | road, us |")
    print("|---|---:|---:|---:|---:|---:|")
    for title, kinds in [*((kind, [kind]) for kind in KINDS), ("the first three", KINDS[:3]), ("all", KINDS)]:
        sums = [
            [sum(values) for values in zip(*(taken[kind, name] for kind in kinds), strict=True)] for name in READERS
        ]
        ours, theirs, road = sums
        micro = " | ".join(f"{1e6 * median(values) / each / len(kinds):.1f}" for values in sums)
        print(f"| {title} | {ratio(theirs, ours):.1f} | {ratio(road, ours):.1f} | {micro} |")


def main() -> None:
    rounds, count = (int(word) for word in [*sys.argv[1:], *["5", "20000"][len(sys.argv) - 1 :]])
    print(heading("Sizes with orientation, CPU time, one thread", "vistoken", "pillow"))
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), count)
        cases = {
            (kind, name): case(function, paths[kind], 20 if (kind, name) == ("PNG without", "peer") else 1)
            for kind in KINDS
            for name, function in READERS.items()
        }
        report(interleaved(cases, rounds), count // len(KINDS))
        done = subprocess.run([sys.executable, "-c", MEMORY, folder], capture_output=True, text=True, check=True)
    print(f"\n{rounds} rounds of {count:,} files, interleaved, after one that is not counted.")
    print(f"memory: {int(done.stdout) / 1024:.1f} MiB more at the peak after all files than after the first 100")


if __name__ == "__main__":
    main()
