"""Videos end to end: frames in memory and files against transformers, counts against lengths, errors by name."""

import json
import os
import struct

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from twins import close  # noqa: E402
from vlm_twins import vlm_twin  # noqa: E402

from vistoken import count  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import InputError, MissingExtra, UsageError  # noqa: E402
from vistoken.video import Source  # noqa: E402

VIDEO = {
    "qwen2.5-vl": {"size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 40}},
    "qwen2-vl": {"size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 40}},
    "qwen3-vl": {"patch_size": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "temporal_patch_size": 2, "fps": 2,
                 "size": {"shortest_edge": 32 * 32 * 4, "longest_edge": 32 * 32 * 200}},
}  # fmt: skip
NAMES = tuple(VIDEO)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def folder_of(name, tmp_path, **values):
    """The twin's files, linked, with a file for videos beside them."""
    twin = vlm_twin(name)
    for file in os.listdir(twin.folder):
        os.link(os.path.join(twin.folder, file), tmp_path / file)
    (tmp_path / "video_preprocessor_config.json").write_text(json.dumps({**VIDEO[name], **values}))
    return str(tmp_path)


def noise(frames, height, width, seed=0):
    """Smooth pictures that change from frame to frame."""
    small = np.random.default_rng(seed).integers(0, 256, (frames, 6, 8, 3), dtype=np.uint8)
    resized = [Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC) for frame in small]
    return np.stack([np.asarray(picture) for picture in resized])


def expected(name, film, folder):
    """The reference's image tokens: frames in pairs through its image processor's own steps, the last one repeated."""
    twin = vlm_twin(name)
    film = np.concatenate([film, film[-1:]]) if len(film) % 2 else film
    [view] = count(folder, width=film.shape[2], height=film.shape[1], frames=len(film)).views
    resized = [
        Image.fromarray(frame).resize((view.size.width, view.size.height), Image.Resampling.BICUBIC) for frame in film
    ]
    flat = [twin.processor(images=[frame], do_resize=False, return_tensors="pt")["pixel_values"] for frame in resized]
    side = view.patch.height
    one, other = ([part.unflatten(1, (3, 2, side * side)) for part in flat[first::2]] for first in (0, 1))
    groups = [torch.stack([a[:, :, 0], b[:, :, 0]], dim=2).flatten(1) for a, b in zip(one, other, strict=True)]
    grid = torch.tensor([[len(groups), view.grid.rows, view.grid.cols]])
    with torch.no_grad():
        return torch.cat(twin.module.get_video_features(torch.cat(groups), grid).pooler_output)


@pytest.mark.parametrize(("frames", "height", "width"), [(4, 90, 130), (5, 200, 60), (2, 64, 64), (9, 47, 300)])
def test_frames_in_memory_equal_the_reference(name, tmp_path, frames, height, width):
    folder, film = folder_of(name, tmp_path), noise(frames, height, width)
    encoder = Encoder.from_pretrained(folder)
    wanted = expected(name, film, folder)
    for video in (film, list(film), [Image.fromarray(frame) for frame in film], torch.from_numpy(film)):
        close(encoder.encode_video(video).image_tokens, wanted)
    result = encoder.encode_video(film)
    counted = count(folder, width=width, height=height, frames=frames)
    assert len(result.image_tokens) == counted.image_tokens == len(list(result.token_boxes()))
    assert len(result.patches) == counted.patches == len(list(result.boxes()))
    assert result.views == counted.views
    assert result.scene.clip.indices == tuple(range(frames))


@pytest.mark.parametrize("seed", [1, 2])
def test_pixels_equal_the_video_processor(name, tmp_path, seed):
    """Grids are equal. torchvision resizes bytes with coarser weights than Pillow: 19 of 20 are equal, none far off."""
    pytest.importorskip("torchvision")
    from vistoken import registry
    from vistoken.encoding.film import choose, of_film
    from vistoken.encoding.frames import film_of

    film = noise(6, 90 + seed, 133, seed)
    kind = "Qwen3VLVideoProcessor" if name == "qwen3-vl" else "Qwen2VLVideoProcessor"
    processor = getattr(hf, kind)(**VIDEO[name])
    out = processor(videos=[torch.from_numpy(film).movedim(3, 1)], do_sample_frames=False, return_tensors="pt")
    spec, memory = registry.describe(folder_of(name, tmp_path)), film_of(film, None)
    prepared = of_film(memory, choose(memory, spec, None), spec, True)
    [view], [mine] = prepared.views, prepared.patches
    assert out["video_grid_thw"].tolist() == [[view.grid.frames, view.grid.rows, view.grid.cols]]
    cells = out["pixel_values_videos"].unflatten(0, (view.grid.frames, view.grid.rows // 2, view.grid.cols // 2, 2, 2))
    channels = cells.transpose(2, 3).reshape(len(mine), 3, -1)
    mean, std = (torch.tensor(values)[:, None] for values in (processor.image_mean, processor.image_std))
    steps = (((channels * std + mean) * 255).flatten(1) - mine.float()).abs().round()
    assert steps.max() <= 2
    assert (steps > 1).float().mean() < 1e-3
    assert (steps > 0).float().mean() < 5e-2


def test_the_models_own_rule_chooses_frames(name, tmp_path):
    folder, film = folder_of(name, tmp_path), noise(60, 60, 80)
    encoder = Encoder.from_pretrained(folder)
    result = encoder.encode_video(film, fps=15)
    indices = encoder.spec.known_video().sampling.choose(Source(60, 15))
    assert 2 <= len(indices) < 60
    assert result.scene.clip.indices == indices
    close(result.image_tokens, expected(name, film[list(indices)], folder))
    assert len(result.image_tokens) == count(folder, width=80, height=60, duration=4, fps=15).image_tokens


def test_the_caller_chooses_frames(tmp_path):
    folder, film = folder_of("qwen3-vl", tmp_path), noise(20, 60, 80)
    result = Encoder.from_pretrained(folder).encode_video(film, frames=np.array([1, 4, 4, 19]))
    close(result.image_tokens, expected("qwen3-vl", film[[1, 4, 4, 19]], folder))


def test_settings_change_the_models_own_rule(tmp_path):
    encoder = Encoder.from_pretrained(folder_of("qwen3-vl", tmp_path), num_frames=4)
    assert encoder.encode_video(noise(30, 60, 80), fps=10).scene.clip.indices == (0, 10, 19, 29)


def test_videos_that_are_normalised_otherwise(tmp_path):
    """The projection takes in bytes for pictures; frames with other values come as floats."""
    folder, film = (
        folder_of("qwen3-vl", tmp_path, image_mean=[0.1, 0.2, 0.3], image_std=[0.9, 0.8, 0.7]),
        noise(4, 64, 64),
    )
    twin = vlm_twin("qwen3-vl")
    before = twin.processor.image_mean, twin.processor.image_std
    twin.processor.image_mean, twin.processor.image_std = [0.1, 0.2, 0.3], [0.9, 0.8, 0.7]
    try:
        wanted = expected("qwen3-vl", film, folder)
    finally:
        twin.processor.image_mean, twin.processor.image_std = before
    close(Encoder.from_pretrained(folder).encode_video(film).image_tokens, wanted)


def test_position_ids_of_a_video(tmp_path):
    result = Encoder.from_pretrained(folder_of("qwen2.5-vl", tmp_path)).encode_video(noise(6, 64, 64))
    ids = result.position_ids(7, seconds=0.5)
    assert ids.shape == (3, len(result.image_tokens))
    assert sorted(set(ids[0].tolist())) == [7, 9, 11]  # 4 tokens a second


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("video", "arguments", "error", "message"),
    [
        (np.zeros((2, 3, 8, 8), np.uint8), {}, InputError, r"shape \(2, 3, 8, 8\): it must be \(frames, height, width, 3\)"),
        (np.zeros((2, 8, 8, 3), np.float32), {}, InputError, "frame 0: .*float32"),
        ([], {}, InputError, "holds no frame"),
        (Image.new("RGB", (8, 8)), {}, UsageError, "video is one Image"),
        ([Image.new("RGB", (64, 64)), Image.new("RGB", (64, 60))], {}, InputError, "frame 1 is 64x60 and the first one 64x64"),
        (np.zeros((4, 64, 64, 3), np.uint8), {"frames": 2}, UsageError, "frames is 2: give the numbers"),
        (np.zeros((4, 64, 64, 3), np.uint8), {"frames": [0, 4]}, UsageError, "from 0 to 3, ascending"),
        (np.zeros((4, 64, 64, 3), np.uint8), {"frames": [2, 1]}, UsageError, "from 0 to 3, ascending"),
        (np.zeros((4, 64, 64, 3), np.uint8), {"frames": []}, UsageError, "from 0 to 3, ascending"),
        (np.zeros((4, 64, 64, 3), np.uint8), {"frames": [0.5]}, UsageError, "from 0 to 3, ascending"),
        (np.zeros((4, 64, 64, 3), np.uint8), {"fps": -1}, UsageError, "fps is -1"),
        (np.zeros((4, 64, 64, 3), np.uint8), {"what": ["cls"]}, UsageError, "what is 'cls'"),
    ],
)  # fmt: skip
def test_wrong_videos_are_refused(tmp_path, video, arguments, error, message):
    encoder = Encoder.from_pretrained(folder_of("qwen3-vl", tmp_path))
    with pytest.raises(error, match=message):
        encoder.encode_video(video, **arguments)


def test_a_model_without_videos_says_so():
    with pytest.raises(UsageError, match="takes no video"):
        Encoder.from_pretrained("vistoken/front-end").encode_video(noise(2, 32, 32))


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match=r"reading video files needs PyAV.*vistoken\[video\]"):
        Encoder.from_pretrained(folder_of("qwen3-vl", tmp_path)).encode_video("film.mp4")


# ---------------------------------------------------------------- files


def write(path, film, rate=10):
    """Losslessly, so that the frames come back as they were up to the colour conversion."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "mpeg4", rate=rate)
        stream.width, stream.height = film.shape[2], film.shape[1]
        stream.pix_fmt = "bgr0" if path.suffix == ".mkv" else "yuv420p"
        for frame in film:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_a_file_gives_the_same_as_its_frames(name, tmp_path):
    film, folder = noise(40, 60, 80), folder_of(name, tmp_path)
    write(tmp_path / "film.mkv", film)
    encoder = Encoder.from_pretrained(folder)
    from_file, from_memory = encoder.encode_video(tmp_path / "film.mkv"), encoder.encode_video(film, fps=10)
    assert from_file.scene.clip == from_memory.scene.clip
    assert torch.equal(from_file.image_tokens, from_memory.image_tokens)
    assert from_file.source.endswith("film.mkv")
    chosen = encoder.encode_video(str(tmp_path / "film.mkv"), frames=range(0, 40, 8))
    assert torch.equal(chosen.image_tokens, encoder.encode_video(film[::8]).image_tokens)


# How x and y go to the screen (ISO/IEC 14496-12, 6.2.2): x' = a x + c y, y' = b x + d y, y downwards.
MATRICES = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


@pytest.mark.parametrize("clockwise", MATRICES)
def test_a_file_is_turned_upright(tmp_path, clockwise):
    from vistoken.encoding.frames import film_of

    path = tmp_path / "film.mp4"
    write(path, noise(3, 48, 64))
    upright = [np.asarray(picture) for picture in film_of(path, None).pictures([0, 1, 2])]
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # behind version, times and track, and reserved fields
    assert struct.unpack(">9i", data[place : place + 36]) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    a, b, c, d = MATRICES[clockwise]
    data[place : place + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    turned = [np.asarray(picture) for picture in film_of(path, None).pictures([0, 1, 2])]
    for one, other in zip(upright, turned, strict=True):
        assert np.array_equal(np.rot90(one, -clockwise // 90), other)


def test_files_that_cannot_be_read_are_named(tmp_path):
    pytest.importorskip("av")
    encoder = Encoder.from_pretrained(folder_of("qwen3-vl", tmp_path))
    (tmp_path / "text.mp4").write_text("no film")
    for name in ("text.mp4", "missing.mp4"):
        with pytest.raises(InputError, match=f"{name} cannot be read as a video"):
            encoder.encode_video(tmp_path / name)


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    from vistoken.encoding.frames import FilmFile

    write(tmp_path / "film.mkv", noise(4, 48, 64))
    whole = FilmFile.open(tmp_path / "film.mkv", None)
    assert (whole.source.frames, whole.source.fps) == (4, 10)
    told = FilmFile(whole.name, Source(9, 10.0))
    with pytest.raises(InputError, match="ends after 4 frames, though its header tells 9"):
        list(told.pictures([0, 8]))


# ---------------------------------------------------------------- towers that read frame by frame


def test_frames_of_a_tower_for_pictures_are_its_pictures():
    """SmolVLM looks at each frame as at one picture; the count agrees."""
    folder, film = vlm_twin("smolvlm").folder, noise(5, 90, 120)
    encoder = Encoder.from_pretrained(folder)
    result, counted = encoder.encode_video(film), count(folder, width=120, height=90, frames=5)
    assert (len(result.patches), len(result.image_tokens)) == (counted.patches, counted.image_tokens)
    alone = [encoder.encode_video(film[number : number + 1]).image_tokens for number in range(5)]
    close(result.image_tokens, torch.cat(alone))


def test_tokens_of_videos_that_are_merged_in_another_way_are_refused():
    """LLaVA-OneVision shrinks the tokens of a video's frames; the tower's output is what it is for pictures."""
    folder, film = vlm_twin("llava-onevision").folder, noise(5, 90, 120)
    encoder = Encoder.from_pretrained(folder)
    with pytest.raises(UsageError, match="21 tokens of this video, which are merged in another way"):
        encoder.encode_video(film)
    result = encoder.encode_video(film, what=["patches"])
    assert len(result.patches) == count(folder, width=120, height=90, frames=5).patches
    [picture] = encoder.encode([film[0]], what=["patches"])  # its overview first
    overview = picture.grids[0].patches
    close(result.patches[:overview], picture.patches[:overview])
