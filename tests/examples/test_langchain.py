"""The counter for LangChain beside the real package: make test-examples.

The chat model's own counter takes a word for a token. By hand: 280x280 is 10 x 10 cells of 28 on Qwen2.5-VL, 100 tokens
(qwen2_vl's image processor of transformers).
"""

import base64
import io
import sys
from pathlib import Path

import pytest

pytest.importorskip("langchain_core")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import langchain_counter
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages
from PIL import Image

MODEL = "qwen2.5-vl-7b"
WORDS = {"type": "text", "text": "What is this?"}
OURS = {"responses": ["a square"], "custom_get_token_ids": lambda text: list(range(len(text.split())))}


class Chat(langchain_counter.ExactPictures, FakeListChatModel):
    pass


def encoded():
    file = io.BytesIO()
    Image.new("RGB", (280, 280)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


FORMS = {
    "OpenAI": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded()}"}},
    "LangChain 0.3": {"type": "image", "source_type": "base64", "data": encoded(), "mime_type": "image/png"},
    "LangChain 1": {"type": "image", "base64": encoded(), "mime_type": "image/png"},
    "Anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": encoded()}},
    "Bedrock": {"image": {"format": "png", "source": {"bytes": base64.b64decode(encoded())}}},
    "VertexAI": {"type": "media", "mime_type": "image/png", "data": base64.b64decode(encoded())},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_picture(form):
    count = langchain_counter.counter(FakeListChatModel(**OURS), MODEL)
    assert count([HumanMessage([WORDS, FORMS[form]])]) == 4 + 100  # "Human:" is the fourth word
    assert count([HumanMessage([WORDS, FORMS[form], FORMS[form]])]) == 4 + 200


def test_text_alone_is_the_models_own():
    llm = FakeListChatModel(**OURS)
    history = [SystemMessage("Be brief."), HumanMessage("What is this?"), AIMessage("A square.")]
    assert langchain_counter.counter(llm, MODEL)(history) == llm.get_num_tokens_from_messages(history) == 3 + 4 + 3


def test_pictures_in_the_results_of_tools():
    call = AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "1"}])
    answer = ToolMessage([WORDS, FORMS["OpenAI"]], tool_call_id="1")
    assert langchain_counter.visual_tokens([call, answer], MODEL) == 100


def test_trimming_keeps_what_fits():
    """Three turns of 104 tokens: two fit into 208, one into 207; LangChain's own count keeps all three."""
    turns = [HumanMessage([{"type": "text", "text": f"What is {n}?"}, FORMS["OpenAI"]]) for n in "abc"]
    llm = FakeListChatModel(**OURS)
    count = langchain_counter.counter(llm, MODEL)
    assert trim_messages(turns, max_tokens=208, token_counter=count) == turns[1:]
    assert trim_messages(turns, max_tokens=207, token_counter=count) == turns[2:]
    assert trim_messages(turns, max_tokens=207, token_counter=llm) == turns


def test_a_chat_model_that_counts_so():
    llm = Chat(pictures=MODEL, **OURS)
    turns = [HumanMessage([WORDS, FORMS["OpenAI"]])] * 3
    assert llm.get_num_tokens_from_messages(turns) == 3 * 104
    assert trim_messages(turns, max_tokens=208, token_counter=llm) == turns[1:]
    assert llm.invoke(turns).content == "a square"


def test_addresses_are_never_fetched():
    remote = [HumanMessage([WORDS, {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}])]
    with pytest.raises(ValueError, match=r"messages\[0\].content\[1\] .*assume"):
        langchain_counter.visual_tokens(remote, MODEL)
    assert langchain_counter.visual_tokens(remote, MODEL, assume="280x280") == 100
