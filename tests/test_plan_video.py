"""Plans of videos, and what a plan is asked for: attention, device, mode."""

import json

import pytest

from vistoken import count, plan
from vistoken.errors import UsageError

VIDEOS = ["qwen2.5-vl-7b", "qwen3-vl-8b", "internvl3-8b", "smolvlm2", "google/gemma-4-E4B-it"]


@pytest.mark.parametrize("model", VIDEOS)
def test_a_video_is_planned_for_what_is_counted(model):
    planned, counted = (verb(model, width=640, height=480, frames=8) for verb in (plan, count))
    assert planned.frames == counted.frames == 8
    assert planned.tokens == counted.patches + counted.prefix_tokens


def test_frames_attend_each_to_itself():
    """Four pairs of frames cost what four pictures of that grid do: Qwen2.5-VL, `cu_seqlens` repeats rows x columns."""
    film = plan("qwen2.5-vl-7b", width=644, height=476, frames=8)
    [view] = film.views
    picture = plan("qwen2.5-vl-7b", input=str(view.size))
    assert film.macs.total == 4 * picture.macs.total
    assert film.params == picture.params


def test_the_models_own_rule_takes_the_frames():
    by_rule = plan("qwen2.5-vl-7b", width=640, height=480, duration=10, fps=30)
    assert by_rule.frames == count("qwen2.5-vl-7b", width=640, height=480, duration=10, fps=30).frames == 20
    assert by_rule.macs == plan("qwen2.5-vl-7b", width=640, height=480, frames=20).macs


def test_latency_and_memory_are_those_that_were_asked_for():
    from vistoken.planning.hardware import device
    from vistoken.planning.latency import latency

    asked = plan("vit-b16-224", batch=256, dtype="bfloat16", attention="eager", device="rtx4090", mode="compiled")
    wanted = latency(asked.operations, device("rtx4090"), dtype="bfloat16", batch=256, mode="compiled")
    assert asked.latency == wanted
    assert asked.latency.total == sum(value for _, value in asked.latency.rows)
    assert asked.memory.inference() == asked.memory.inference(attention="eager")
    assert asked.memory.inference().total > asked.memory.inference(attention="fused").total


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 8, "input": "224x224"}, "input is for pictures"),
        ({"fps": 3}, "fps needs duration"),
        ({"frames": 0}, "from 1 to 10,000,000"),
        ({"attention": "flash"}, "attention 'flash' is unknown: known are fused, eager"),
        ({"device": "l44"}, "Did you mean l4"),
        ({"device": "l4", "mode": "compile"}, "Did you mean compiled"),
        ({"mode": "compiled"}, "mode goes with device"),
    ],
)
def test_wrong_use_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        plan("qwen2.5-vl-7b", width=640, height=480, **options)


def test_models_without_videos_and_videos_that_go_another_way_are_refused():
    with pytest.raises(UsageError, match="takes no video"):
        plan("vit-b16-224", frames=8)
    with pytest.raises(UsageError, match="counted alone"):
        plan("video-llava-7b", frames=8)
    with pytest.raises(UsageError, match="plan with device="):
        _ = plan("vit-b16-224").latency


def test_the_command_plans_videos(run):
    code, out, _ = run("plan", "640x480", "-m", "qwen2.5-vl-7b", "--frames", "8", "--llm", "own", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["frames"] == 8
    assert found["llm"]["tokens"] == count("qwen2.5-vl-7b", width=640, height=480, frames=8).tokens
    code, out, _ = run("plan", "640x480", "-m", "qwen2.5-vl-7b", "--frames", "8")
    assert "640x480, 8 frames: 6,256 tokens a video" in out
    code, _, error = run("plan", "640x480", "-m", "qwen2.5-vl-7b", "--frames", "8", "--within", "tokens<=9")
    assert (code, "--within has no use for --frames" in error) == (2, True)


@pytest.mark.parametrize(
    ("model", "tokens", "per_token"),
    [
        # transformers 5.23.0, `get_video_features`: the pool stands in front of the projector, 1,024 -> 4,096 -> 4,096.
        ("llava-hf/LLaVA-NeXT-Video-7B-hf", 8 * 12 * 12, 1024 * 4096 + 4096**2),
        # `modeling_video_llama_3.py`: 2 x 2 are resized into one, then 1,152 -> 3,584 -> 3,584.
        ("lkhl/VideoLLaMA3-7B-Image-HF", 3128, 1152 * 3584 + 3584**2),
        # `modeling_llava_onevision.py`: all patches through the projector, 1,152 -> 3,584 -> 3,584, pooled after it.
        ("llava-hf/llava-onevision-qwen2-7b-ov-hf", 8 * 729, 1152 * 3584 + 3584**2),
    ],
)
def test_projectors_work_on_what_is_left_of_the_frames(model, tokens, per_token):
    film = plan(model, width=640, height=480, frames=8)
    assert dict(film.macs.rows)["connector"] == tokens * per_token
    assert film.params == plan(model, width=640, height=480).params
