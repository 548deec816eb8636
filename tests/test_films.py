"""Video files as sources: what their headers tell, against what PyAV decodes and what `encode_video` reads."""

import json
import os
import subprocess
import sys
from fractions import Fraction

import pytest

av = pytest.importorskip("av")
np = pytest.importorskip("numpy")

from clips import KINDS, write  # noqa: E402
from PIL import Image  # noqa: E402

from vistoken import count, count_video, films, turning  # noqa: E402
from vistoken.cli import run  # noqa: E402
from vistoken.errors import InputError, MissingExtra, UsageError  # noqa: E402
from vistoken.films import is_film, read_film  # noqa: E402

QWEN = "qwen2.5-vl-7b"


def decoded(path):
    """Every frame, as PyAV shows them: size when upright, and angle."""
    with av.open(path) as container:
        for frame in container.decode(video=0):
            size = (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)
            yield size, frame.rotation % 360


def told(path, **arguments):
    film = read_film(path, **arguments)
    return (film.size.width, film.size.height), film.source.frames, film.source.fps


@pytest.mark.parametrize("kind", KINDS)
def test_the_header_tells_what_decoding_finds(tmp_path, kind):
    path = write(tmp_path / f"film.{kind}", frames=7)
    frames = list(decoded(path))
    assert told(path) == (frames[0][0], len(frames), 10) == ((64, 48), 7, 10)


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize("angle", [0, 90, 180, 270, -90])
def test_a_turned_film(tmp_path, kind, angle):
    path = write(tmp_path / f"film.{kind}", frames=2, turned=angle)
    [(size, shown), *_] = decoded(path)
    with av.open(path) as container:
        assert turning.degrees(path, container.format.name, container.streams.video[0].id) == shown == angle % 360
    assert told(path)[0] == size == ((48, 64) if angle % 180 else (64, 48))


def test_an_angle_that_is_no_quarter_turn(tmp_path):
    with pytest.raises(InputError, match=r"film\.mp4 is to be shown turned by 45 degrees: turn it upright first"):
        read_film(write(tmp_path / "film.mp4", turned=45))


def test_the_shape_of_pixels_is_left_aside(tmp_path):
    path = write(tmp_path / "film.m4v", pixel=Fraction(2, 1))
    with av.open(path) as container:
        assert container.streams.video[0].sample_aspect_ratio == 2
    assert told(path)[0] == next(decoded(path))[0] == (64, 48)


def test_a_variable_rate_is_a_mean(tmp_path):
    path = write(tmp_path / "film.mkv", times=[0, 1, 2, 10, 20, 40])
    assert told(path)[1] == len(list(decoded(path))) == 6
    with av.open(path) as container:
        assert told(path)[2] == float(container.streams.video[0].average_rate)
    assert told(path, fps=3)[1:] == (6, 3)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm", "avi"])
def test_the_count_is_that_of_encode(tmp_path, kind):
    pytest.importorskip("torch")
    from vistoken import registry
    from vistoken.encoding.film import choose
    from vistoken.encoding.frames import film_of

    path, model = write(tmp_path / f"film.{kind}", frames=33, size=(96, 64)), "Qwen/Qwen3-VL-8B-Instruct"
    film = film_of(path, None)
    clip = choose(film, registry.describe(model), None)
    result = count_video(model, path)
    assert (result.clip, result.clip.source) == (clip, film.source)
    picture = next(film.pictures(clip.indices))
    assert (result.size.width, result.size.height) == picture.size
    assert result.tokens == count(model, width=96, height=64, duration=3.3, fps=10).tokens


def test_the_caller_chooses_how_many_frames(tmp_path):
    path = write(tmp_path / "film.mp4", frames=20)
    result = count_video(QWEN, path, frames=8)
    assert result.tokens == count(QWEN, width=64, height=48, frames=8).tokens
    assert result.clip.source.duration == 2  # seconds, as in the file
    assert count_video(QWEN, path, fps=5).tokens == count(QWEN, width=64, height=48, duration=4, fps=5).tokens
    with pytest.raises(InputError, match="has 20 frames: 21 cannot be looked at"):
        count_video(QWEN, path, frames=21)
    with pytest.raises(UsageError, match="frames is 0"):
        count_video(QWEN, path, frames=0)


def test_no_frame_is_decoded(tmp_path):
    path = write(tmp_path / "film.mkv")
    code = f"import sys, av, vistoken as vt\nassert vt.count_video({QWEN!r}, sys.argv[1]).tokens\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout.split()
    assert "av" in out
    assert not {"numpy", "torch"} & set(out)  # without which PyAV hands out no picture
    with open(path, "rb") as file:
        data = bytearray(file.read())
    place = data.index(b"\x1f\x43\xb6\x75") + 60  # in the first cluster: pixels that nobody can decode
    data[place : place + 40] = b"\xff" * 40
    (tmp_path / "broken.mkv").write_bytes(data)
    assert told(str(tmp_path / "broken.mkv"))[0] == (64, 48)


# ---------------------------------------------------------------- which files are videos


def test_videos_are_known_by_ending_or_content(tmp_path):
    for kind in ("mp4", "mkv", "avi"):
        path = write(tmp_path / f"film.{kind}")
        os.rename(path, tmp_path / f"{kind}-without-ending")
        assert is_film(str(tmp_path / f"{kind}-without-ending"))
    Image.new("RGB", (64, 48)).save(tmp_path / "picture.png")
    (tmp_path / "short").write_bytes(b"ftyp")
    os.mkfifo(tmp_path / "pipe.mp4")
    for name in ("picture.png", "short", "pipe.mp4", "missing.mp4"):
        assert not is_film(str(tmp_path / name))


def test_a_picture_in_an_iso_file_is_no_video(tmp_path):
    from PIL import features

    if not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    Image.new("RGB", (64, 48)).save(tmp_path / "picture.avif")
    assert not is_film(str(tmp_path / "picture.avif"))


# ---------------------------------------------------------------- hostile files


def audio(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 44_100), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44_100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())


def test_films_that_cannot_be_counted_are_named(tmp_path):
    whole = write(tmp_path / "whole.mp4")
    with open(whole, "rb") as file:
        (tmp_path / "cut.mp4").write_bytes(file.read()[:-200])  # within the index at the end
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty.mp4").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.mp4")
    audio(tmp_path / "sound.m4a")
    messages = {"cut.mp4": "cannot be read as a video", "text.mp4": "cannot be read as a video", "empty.mp4": "the file is empty",
                "pipe.mp4": "not a regular file", "sound.m4a": "holds no video stream", "none.mp4": "no such file"}  # fmt: skip
    for name, message in messages.items():
        with pytest.raises(InputError, match=f"{name}.*{message}"):
            read_film(tmp_path / name)


@pytest.mark.parametrize(("kind", "message"), [("mp4", "holds no video stream"), ("avi", "holds no frame")])
def test_a_film_without_frames(tmp_path, kind, message):
    with pytest.raises(InputError, match=rf"film\.{kind} {message}"):
        read_film(write(tmp_path / f"film.{kind}", frames=0))


def test_a_playlist_opens_no_other_file(tmp_path):
    write(tmp_path / "film.ts")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile film.ts\n")
    (tmp_path / "hls.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfilm.ts\n#EXT-X-ENDLIST\n")
    for name in ("list.mp4", "hls.mp4"):
        with pytest.raises(InputError, match=f"{name} cannot be read as a video"):
            read_film(tmp_path / name)


def test_names_that_are_no_utf_8_or_look_like_addresses(tmp_path, monkeypatch):
    path = write(tmp_path / "film.mp4")
    monkeypatch.chdir(tmp_path)
    for odd in ("http:film.mp4", os.fsdecode(b"\xff\n.mp4")):
        os.rename(path, odd)
        assert told(odd)[1] == 6
        path = odd


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_broken_header_is_never_a_crash(tmp_path, kind):
    """Every byte of the header turned over, one at a time: an answer, or an error that names the file."""
    whole = write(tmp_path / f"film.{kind}", frames=1, turned=90)
    with open(whole, "rb") as file:
        data = file.read()
    end = len(data) if kind == "mp4" else data.index(b"\x1f\x43\xb6\x75")
    start = data.index(b"moov") - 4 if kind == "mp4" else 0
    broken = tmp_path / f"broken.{kind}"
    for place in range(start, end, 2):
        broken.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        angle = turning.degrees(broken, "mp4" if kind == "mp4" else "matroska", 1)
        assert 0 <= angle < 360
        if place % 16 == 0:
            try:
                assert read_film(broken).source.frames >= 1
            except InputError as error:
                assert f"broken.{kind}" in str(error)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    (tmp_path / "film.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra, match=r"reading video files needs PyAV.*vistoken\[video\]"):
        count_video(QWEN, tmp_path / "film.mp4")


def test_a_rate_that_is_impossible(tmp_path):
    path = write(tmp_path / "film.mp4")
    with pytest.raises(UsageError, match="fps is -1"):
        read_film(path, fps=-1)


def test_a_model_without_videos_says_so(tmp_path):
    with pytest.raises(UsageError, match=r"film\.mp4 is a video, and openai/clip-vit-base-patch32 takes none"):
        count_video("clip-b32", write(tmp_path / "film.mp4"))


# ---------------------------------------------------------------- the commands


def test_count_takes_files(tmp_path, capsys):
    one, other = write(tmp_path / "a.mp4", frames=30), write(tmp_path / "b.mkv", frames=12, turned=90)
    assert run(["count", one, other, "-m", QWEN]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    tokens = [
        count(QWEN, width=64, height=48, duration=3, fps=10).tokens,
        count(QWEN, width=48, height=64, duration=1.2, fps=10).tokens,
    ]
    assert [one, "64x48", "30", "10", "6", str(tokens[0])] in rows
    assert [other, "48x64", "12", "10", "4", str(tokens[1])] in rows
    assert rows[-1] == ["2", "videos", str(sum(tokens))]


def test_count_speaks_json_of_files(tmp_path, capsys):
    path = write(tmp_path / "a.mp4", frames=30)
    assert run(["count", path, "640x480", "-m", QWEN, "--frames", "4", "--json"]) == 0
    film, size = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (film["source"], film["frames_in_file"], film["fps"], film["duration"], film["frames"]) == (
        path,
        30,
        10,
        3,
        4,
    )
    assert (size["source"], size["frames"]) == ("640x480", 4)


def test_one_model_of_several_takes_no_video(tmp_path, capsys):
    path = write(tmp_path / "a.mp4")
    assert run(["count", path, "-m", QWEN, "-m", "clip-b32"]) == 3
    out, err = capsys.readouterr()
    assert path in out
    assert "is a video, and openai/clip-vit-base-patch32 takes none" in err
    assert run(["count", path, "-m", "clip-b32"]) == 2
    assert run(["count", path, str(tmp_path / "a.mp4"), "-m", QWEN, "--duration", "3"]) == 2
    assert "tells its duration" in capsys.readouterr().err


def test_plan_takes_a_file(tmp_path, capsys):
    path = write(tmp_path / "a.mp4", frames=40, size=(640, 480))
    assert run(["plan", path, "-m", QWEN, "--json"]) == 0
    from_file = json.loads(capsys.readouterr().out)
    assert run(["plan", "640x480", "-m", QWEN, "--duration", "4", "--fps", "10", "--json"]) == 0
    assert from_file == json.loads(capsys.readouterr().out)
    assert run(["plan", path, "-m", QWEN, "--frames", "6", "--json"]) == 0
    from_file = json.loads(capsys.readouterr().out)
    assert run(["plan", "640x480", "-m", QWEN, "--frames", "6", "--json"]) == 0
    assert from_file == json.loads(capsys.readouterr().out)
    for wrong, message in (
        ([path, "640x480"], "must be the only source"),
        ([path, "--duration", "3"], "tells its duration"),
    ):
        assert run(["plan", *wrong, "-m", QWEN]) == 2
        assert message in capsys.readouterr().err


def test_what_fits_of_a_file(tmp_path, capsys):
    path = write(tmp_path / "a.mp4", frames=40, size=(640, 480))
    assert run(["count", path, "-m", QWEN, "--within", "900", "--json"]) == 0
    from_file = json.loads(capsys.readouterr().out)
    assert run(["count", "640x480", "-m", QWEN, "--within", "900", "--duration", "4", "--fps", "10", "--json"]) == 0
    assert from_file == json.loads(capsys.readouterr().out)


def test_only_these_demuxers_are_known_to_ffmpeg():
    """A name that FFmpeg does not have would silently be no limit for the others."""
    known = {name for each in av.formats_available for name in each.split(",")}
    assert set(films.FORMATS.split(",")) <= known
