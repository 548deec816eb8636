"""The counter for LiteLLM beside the real package: make test-examples.

By hand: 280x280 is 10 x 10 cells of 28 on Qwen2.5-VL and Claude (100 tokens), and one tile on GPT-4o (85 + 170 = 255; 85
with detail low): OpenAI's vision guide, Anthropic's vision document, qwen2_vl's image processor of transformers.
"""

import asyncio
import base64
import io
import os
import sys
from pathlib import Path

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else importing it asks the network
litellm = pytest.importorskip("litellm")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import litellm_counter  # noqa: E402
from PIL import Image  # noqa: E402

QWEN, GPT, CLAUDE = "hosted_vllm/Qwen/Qwen2.5-VL-7B-Instruct", "openai/gpt-4o", "anthropic/claude-sonnet-4-5"
WORDS = {"type": "text", "text": "What is this?"}


def encoded(width=280, height=280):
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def picture(detail="auto"):
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded()}", "detail": detail}}


def prompt(*blocks):
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [WORDS, *blocks]}]


def plain(model):
    return litellm.token_counter(model=model, messages=prompt())


@pytest.mark.parametrize(("model", "tokens"), [(QWEN, 100), (CLAUDE, 100), (GPT, 255)])
def test_text_is_litellms_and_pictures_are_exact(model, tokens):
    assert litellm_counter.token_counter(model, prompt(picture("high"))) == plain(model) + tokens
    assert litellm_counter.token_counter(model, prompt(picture("high"), picture("high"))) == plain(model) + 2 * tokens


def test_the_detail_of_a_picture_counts():
    assert litellm_counter.token_counter(GPT, prompt(picture("low"))) == plain(GPT) + 85


def test_what_litellm_itself_says_is_the_same_for_every_model():
    """Why the example is there; where this fails, its first paragraph is out of date."""
    alone = {
        model: litellm.token_counter(model=model, messages=prompt(picture())) - plain(model) for model in (QWEN, GPT)
    }
    assert alone == {QWEN: 85, GPT: 85}


def test_pictures_in_the_results_of_tools():
    source = {"type": "base64", "media_type": "image/png", "data": encoded()}
    result = {"type": "tool_result", "tool_use_id": "1", "content": [WORDS, {"type": "image", "source": source}]}
    without = {**result, "content": [WORDS]}
    bare = litellm.token_counter(model=CLAUDE, messages=[{"role": "user", "content": [without]}])
    assert litellm_counter.token_counter(CLAUDE, [{"role": "user", "content": [result]}]) == bare + 100


def test_documents_are_litellms_own():
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}}
    bare = litellm.token_counter(model=QWEN, messages=prompt(file))
    assert litellm_counter.token_counter(QWEN, prompt(file, picture())) == bare + 100
    source = {"type": "base64", "media_type": "image/png", "data": encoded()}
    inner = [[WORDS], [WORDS, {"type": "image", "source": source}]]
    plain, illustrated = ({"type": "document", "source": {"type": "content", "content": blocks}} for blocks in inner)
    bare = litellm.token_counter(model=CLAUDE, messages=prompt(plain))
    assert litellm_counter.token_counter(CLAUDE, prompt(illustrated)) == bare + 100


def test_addresses_are_never_fetched():
    remote = prompt({"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}})
    with pytest.raises(ValueError, match=r"messages\[1\].content\[1\] .*assume"):
        litellm_counter.token_counter(QWEN, remote)
    assert litellm_counter.token_counter(QWEN, remote, assume="280x280") == plain(QWEN) + 100


def test_tools_are_litellms_own():
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    expected = litellm.token_counter(model=QWEN, messages=prompt(), tools=tools) + 100
    assert litellm_counter.token_counter(QWEN, prompt(picture()), tools=tools) == expected


def test_text_alone_needs_no_model_that_vistoken_knows():
    model = "openai/gpt-3.5-turbo"
    assert litellm_counter.token_counter(model, prompt()) == plain(model)


@pytest.fixture
def guard():
    before = litellm.callbacks
    yield lambda context: setattr(litellm, "callbacks", [litellm_counter.ContextGuard(context)])
    litellm.callbacks = before


def ask(model):
    return litellm.acompletion(model=model, messages=prompt(picture("high")), mock_response="a square")


def test_the_guard_refuses_what_overflows_and_nothing_else(guard):
    exact = plain(GPT) + 255
    guard(exact)
    assert asyncio.run(ask(GPT)).choices[0].message.content == "a square"
    guard(exact - 1)
    with pytest.raises(
        litellm.ContextWindowExceededError, match=f"{exact:,} tokens, and the context holds {exact - 1:,}"
    ):
        asyncio.run(ask(GPT))


def test_the_router_falls_back_where_the_guard_refuses(guard):
    guard(plain(GPT) + 200)  # 255 do not fit, 100 do
    router = litellm.Router(
        model_list=[
            {"model_name": name, "litellm_params": {"model": model, "api_key": "none", "mock_response": name}}
            for name, model in (("first", GPT), ("second", CLAUDE))
        ],
        context_window_fallbacks=[{"first": ["second"]}],
        num_retries=0,
    )
    answer = asyncio.run(router.acompletion(model="first", messages=prompt(picture("high"))))
    assert answer.choices[0].message.content == "second"
