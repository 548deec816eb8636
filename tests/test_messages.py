"""Prompts in the vendors' formats: every block where it stands, the sum, and what is not counted.

The fixtures follow the types of the vendors' SDKs (openai-python 3.54, anthropic-sdk-python 2.12, google-genai 3.4) and
the pages "Images and vision" (OpenAI), "Vision" (Anthropic), "Image understanding" and "Media resolution" (Google),
"Chat templates" (transformers). Token counts are those of the same pages, see `examples` in the family files.
"""

import base64
import io
import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import vistoken as vt
from vistoken.cli import run
from vistoken.errors import InputError, UsageError


def png(width, height):
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def encoded(width, height):
    return base64.b64encode(png(width, height)).decode()


def data_url(width, height):
    return f"data:image/png;base64,{encoded(width, height)}"


SQUARE, BIG = data_url(1024, 1024), data_url(2048, 4096)
REMOTE = "https://example.org/cat.png"


def rows(messages, model, **how):
    return dict(vt.count_messages(messages, model=model, **how).rows)


def user(*content):
    return [{"role": "user", "content": list(content)}]


# ---------------------------------------------------------------- OpenAI, chat completions


def chat_image(url, **how):
    return {"type": "image_url", "image_url": {"url": url, **how}}


CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Compare."}, chat_image(SQUARE), chat_image(BIG, detail="high")]},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "done"}, chat_image(BIG, detail="low")]},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
]  # fmt: skip


def test_openai_chat():
    result = vt.count_messages(CHAT, model="gpt-4o", text_tokens=len)
    # "Images and vision": 1024x1024 is 765, 2048x4096 is 1105, low detail is 85
    assert dict(result.rows) == {
        "messages[0].content": 9, "messages[1].content[0]": 8, "messages[1].content[1]": 765,
        "messages[1].content[2]": 1105, "messages[3].content[0]": 4, "messages[3].content[1]": 85,
        "messages[4].content[0]": 2,
    }  # fmt: skip
    assert (result.tokens, result.text_tokens, result.total) == (1955, 23, 1978)
    assert (result.format, result.images, result.unknown) == ("OpenAI chat", 3, ())
    assert [(block.place.message, block.place.role) for block in result.blocks][-2:] == [(3, "tool"), (4, "assistant")]


def test_the_whole_request_may_be_given():
    assert rows({"model": "gpt-4o", "messages": CHAT, "temperature": 0}, "gpt-4o") == rows(CHAT, "gpt-4o")


def test_what_is_not_at_hand_is_unknown_or_assumed(tmp_path):
    messages = user(chat_image(REMOTE, detail="low"), chat_image(REMOTE), {"type": "file", "file": {"file_id": "f-1"}},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})  # fmt: skip
    result = vt.count_messages(messages, model="gpt-4o")
    assert (result.tokens, result.rows, len(result.unknown)) == (0, (), 4)
    assert [block.kind for block in result.unknown] == ["image", "image", "document", "audio"]
    assert "never fetched" in result.unknown[0].reason
    result = vt.count_messages(messages, model="gpt-4o", assume="1024x1024")
    assert [block.tokens for block in result.blocks] == [85, 765, None, None]
    assert [block.assumed for block in result.blocks] == [True, True, False, False]
    assert "assumed size" in result.explain()


def test_paths_and_strings_of_other_apis(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1024, 1024))
    for url in (f"file://{tmp_path}/a.png", str(tmp_path / "a.png"), encoded(1024, 1024)):
        assert rows(user(chat_image(url)), "gpt-4o") == {"messages[0].content[0]": 765}
    mistral = {"type": "image_url", "image_url": SQUARE}
    assert rows(user(mistral), "gpt-4o") == {"messages[0].content[0]": 765}


def test_text_alone_has_no_format():
    result = vt.count_messages([{"role": "user", "content": "Hello"}], model="gpt-4o")
    assert (result.format, result.images, result.tokens, result.text_tokens, result.total) == ("", 0, 0, None, 0)


# ---------------------------------------------------------------- OpenAI, responses


RESPONSES = [
    {"role": "user", "content": [
        {"type": "input_text", "text": "Look."},
        {"type": "input_image", "image_url": data_url(512, 512), "detail": "auto"},
        {"type": "input_image", "file_id": "file-abc", "detail": "high"},
        {"type": "input_file", "file_id": "file-pdf"},
    ]},
    {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "1", "output": [
        {"type": "input_image", "image_url": data_url(256, 256)}]},
    {"type": "function_call_output", "call_id": "2", "output": "four"},
    {"type": "computer_call_output", "call_id": "3", "output": {
        "type": "computer_screenshot", "image_url": data_url(1280, 720)}},
    {"type": "message", "role": "assistant", "status": "completed", "content": [
        {"type": "output_text", "text": "A cat.", "annotations": []}]},
]  # fmt: skip


def test_openai_responses():
    result = vt.count_messages({"input": RESPONSES, "instructions": "Be brief."}, model="gpt-5-mini", text_tokens=len)
    # bills in OpenAI's community forum, June 2026: 512x512 is 308, 256x256 is 77, 1280x720 is 1104
    assert dict(result.rows) == {
        "instructions": 9, "input[0].content[0]": 5, "input[0].content[1]": 308, "input[2].output[0]": 77,
        "input[3].output": 4, "input[4].output": 1104, "input[5].content[0]": 6,
    }  # fmt: skip
    assert [(block.where, block.kind) for block in result.unknown] == [
        ("input[0].content[2]", "image"), ("input[0].content[3]", "document")]  # fmt: skip
    assert rows(RESPONSES, "gpt-5-mini") == {
        "messages[0].content[1]": 308, "messages[2].output[0]": 77, "messages[4].output": 1104}  # fmt: skip


# ---------------------------------------------------------------- Anthropic


def source(width, height, media="image/png"):
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": encoded(width, height)}}


ANTHROPIC = [
    {"role": "user", "content": [
        source(1000, 1000),
        {"type": "image", "source": {"type": "url", "url": REMOTE}},
        {"type": "image", "source": {"type": "file", "file_id": "file_011"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjcK"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
        {"type": "document", "source": {"type": "content", "content": [source(1000, 1000)]}},
        {"type": "text", "text": "Look.", "cache_control": {"type": "ephemeral"}},
    ]},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "tool_use", "id": "t", "name": "shot", "input": {}}]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "ok"}, source(1920, 1080)]},
        {"type": "tool_result", "tool_use_id": "u", "content": "plain"},
        {"type": "tool_result", "tool_use_id": "v"}]},
]  # fmt: skip


def test_anthropic():
    request = {"system": [{"type": "text", "text": "Be brief."}], "messages": ANTHROPIC, "max_tokens": 9}
    result = vt.count_messages(request, model="claude-opus-4.7", text_tokens=len)
    # "Vision": 1000x1000 is 1296, 1920x1080 is 2691 in the high-resolution tier
    assert dict(result.rows) == {
        "system[0]": 9, "messages[0].content[0]": 1296, "messages[0].content[4]": 5,
        "messages[0].content[5].source.content[0]": 1296, "messages[0].content[6]": 5,
        "messages[2].content[0].content[0]": 2, "messages[2].content[0].content[1]": 2691,
        "messages[2].content[1].content": 5,
    }  # fmt: skip
    assert [block.kind for block in result.unknown] == ["image", "image", "document"]
    assert (result.format, result.images) == ("Anthropic", 5)


def test_a_media_type_that_is_not_that_of_the_content_is_noted():
    result = vt.count_messages(user(source(9, 9, "image/jpeg")), model="claude-opus-5")
    assert result.notes[-1].startswith("messages[0].content[0]: declared as image/jpeg, but it is image/png")


def test_files_that_the_sdk_would_encode(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(1000, 1000))
    for data in (path, io.BytesIO(png(1000, 1000))):
        block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
        assert rows(user(block), "claude-opus-5") == {"messages[0].content[0]": 1296}


def test_how_many_pictures_share_the_prompt_counts():
    side = source(2100, 50)  # above 20 pictures the API refuses sides above 2000 pixels
    vt.count_messages(user(*[side] * 20), model="claude-opus-5")
    with pytest.raises(InputError, match=r"^messages\[0\].content\[0\]: 2100x50: the API refuses sides above 2,000"):
        vt.count_messages(user(*[side] * 20, {"type": "image", "source": {"type": "url", "url": REMOTE}}),
                          model="claude-opus-5")  # fmt: skip
    for n in (1, 2, 3):
        blocks = [{"type": "image", "path": "examples/images/rocket.jpg"}] * n
        one = vt.count("llava-onevision-7b", image="examples/images/rocket.jpg", images_in_prompt=n)
        assert vt.count_messages(user(*blocks), model="llava-onevision-7b").tokens == n * one.tokens


# ---------------------------------------------------------------- Gemini


def blob(width, height, **how):
    return {"inlineData": {"mimeType": "image/png", "data": encoded(width, height)}, **how}


GEMINI = [
    {"role": "user", "parts": [
        {"text": "Look."}, blob(1024, 1024),
        {"inline_data": {"mime_type": "image/png", "data": png(1920, 1080)}},  # the SDK: bytes as they are
        {"file_data": {"mime_type": "image/png", "file_uri": "gs://bucket/a.png"}},
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}, "videoMetadata": {"fps": 2}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjcK"}},
        {"inlineData": {"mimeType": "image/heic", "data": "AAAA"}},
    ]},
    {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "x"}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}, "parts": [blob(1024, 768)]}}]},
]  # fmt: skip


def test_gemini():
    request = {"contents": GEMINI, "systemInstruction": {"parts": [{"text": "Be brief."}]}}
    result = vt.count_messages(request, model="gemini-3-pro", text_tokens=len)
    # public counts: 1024x1024 is 1090, 1920x1080 is 1101, 1024x768 is 1065
    assert dict(result.rows) == {
        "system_instruction.parts[0]": 9, "contents[0].parts[0]": 5, "contents[0].parts[1]": 1090,
        "contents[0].parts[2]": 1101, "contents[2].parts[0].function_response.parts[0]": 1065,
    }  # fmt: skip
    assert [block.kind for block in result.unknown] == ["image", "video", "document", "image"]


def test_contents_as_the_sdk_of_google_takes_them():
    picture = Image.open(io.BytesIO(png(1024, 1024)))
    config = SimpleNamespace(model_dump=lambda: {"system_instruction": "Be brief.", "media_resolution": None})
    request = {"contents": ["Look.", picture, blob(1024, 768), {"parts": [{"text": "x"}]}], "config": config}
    result = vt.count_messages(request, model="gemini-3-pro", text_tokens=len)
    assert [tokens for _, tokens in result.rows] == [9, 5, 1090, 1065, 1]
    assert rows({"contents": "Look."}, "gemini-3-pro", text_tokens=len) == {"contents[0]": 5}
    assert rows({"contents": {"parts": [blob(1024, 768)]}}, "gemini-3-pro") == {"contents[0].parts[0]": 1065}


def test_media_resolution_of_a_part_wins_over_that_of_the_request():
    parts = [blob(512, 512), blob(512, 512, mediaResolution={"level": "MEDIA_RESOLUTION_HIGH"}),
             blob(512, 512, media_resolution="MEDIA_RESOLUTION_UNSPECIFIED")]  # fmt: skip
    contents = [{"parts": parts}]
    low, high = (
        vt.count("gemini-3-pro", width=512, height=512, media_resolution=level).tokens for level in ("low", "high")
    )
    assert low < high
    for request in ({"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}},
                    {"config": {"media_resolution": "MEDIA_RESOLUTION_LOW"}}):  # fmt: skip
        result = vt.count_messages({"contents": contents, **request}, model="gemini-3-pro")
        assert [tokens for _, tokens in result.rows] == [low, high, low]
    result = vt.count_messages(contents, model="gemini-3-pro", media_resolution="low")
    assert [tokens for _, tokens in result.rows] == [low, high, low]
    assert result.notes == (
        "messages[0].parts[1]: media_resolution=high of the prompt holds, not media_resolution='low'",
    )


def test_what_a_setting_does_to_a_model_may_be_unknown():
    contents = [{"parts": [blob(384, 384), blob(384, 384, mediaResolution={"level": "MEDIA_RESOLUTION_LOW"})]}]
    result = vt.count_messages(contents, model="gemini-2.5-pro")
    assert result.rows == (("messages[0].parts[0]", 258),)  # token guide: both sides at most 384
    assert "what media_resolution low makes of a picture" in result.unknown[0].reason


# ---------------------------------------------------------------- transformers


def test_transformers(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(1280, 720))
    picture = Image.open(path)
    blocks = [{"type": "image", "url": REMOTE}, {"type": "image", "path": str(path)}, {"type": "image", "image": picture},
              {"type": "image", "base64": encoded(1280, 720)}, {"type": "image", "image": png(1280, 720)},
              {"type": "image", "image": f"file://{path}"}, {"type": "image"}, {"type": "text", "text": "?"},
              {"type": "image"}]  # fmt: skip
    result = vt.count_messages(user(*blocks), model="qwen2.5-vl-7b", images=[path, data_url(1280, 720)])
    assert result.format == "transformers"
    # Qwen2_5_VLProcessor of transformers: 1280x720 is 46 x 26 tokens, and 2 markers are the template's
    assert [block.tokens for block in result.blocks] == [None, *[46 * 26] * 6, None, 46 * 26]


def test_bare_blocks_need_their_pictures():
    bare = user({"type": "image"}, {"type": "image"})
    assert len(vt.count_messages(bare, model="clip-l14-336").unknown) == 2
    assert vt.count_messages(bare, model="clip-l14-336", assume="9x9").tokens == 2 * 577
    assert vt.count_messages({"messages": bare, "images": [png(9, 9)] * 2}, model="clip-l14-336").tokens == 2 * 577
    with pytest.raises(UsageError, match=r"messages\[0\].content\[1\]: a bare image block, but images holds only 1"):
        vt.count_messages(bare, model="clip-l14-336", images=[png(9, 9)])
    with pytest.raises(UsageError, match="images holds 3 pictures, but the messages have 2 bare image blocks"):
        vt.count_messages(bare, model="clip-l14-336", images=[png(9, 9)] * 3)


def test_videos_as_frames():
    frames = [png(64, 64)] * 4
    result = vt.count_messages(
        user({"type": "video", "video": frames}, {"type": "video", "path": "a.mp4"}), model="qwen2.5-vl-7b"
    )
    assert result.blocks[0].tokens == vt.count("qwen2.5-vl-7b", width=64, height=64, frames=4).tokens
    assert result.images == 0
    assert [block.name for block in result.unknown] == ["a.mp4"]
    with pytest.raises(InputError, match=r"content\[0\]: frames of 2 sizes: 64x64, 64x65"):
        vt.count_messages(user({"type": "video", "video": [*frames, png(64, 65)]}), model="qwen2.5-vl-7b")
    assert (
        "takes no video"
        in vt.count_messages(user({"type": "video", "video": frames}), model="gpt-4o").unknown[0].reason
    )


def test_the_order_is_that_of_transformers():
    """The reference collects pictures from the same blocks, in the same order."""
    from transformers.processing_utils import ProcessorMixin

    names = [f"{name}.png" for name in "abcde"]
    kinds = ("url", "path", "image", "base64", "url")
    blocks = [{"type": "image", kind: name} for kind, name in zip(kinds, names, strict=True)]
    messages = [
        *user(*blocks[:2], {"type": "text", "text": "x"}),
        {"role": "assistant", "content": "y"},
        *user(*blocks[2:]),
    ]
    (theirs,), *_ = ProcessorMixin._multimodal_inputs_from_conversations(None, [json.loads(json.dumps(messages))], {})
    assert theirs == names
    for block, name in zip(blocks, names, strict=True):
        block.clear()
        block.update(type="image", url=f"https://x/{name}")
    ours = vt.count_messages(messages, model="clip-l14-336").blocks
    assert [block.name.removeprefix("https://x/") for block in ours if block.kind == "image"] == names


# ---------------------------------------------------------------- laws


def test_blocks_equal_count_and_sum_up():
    sizes = [(64, 48), (640, 427), (1280, 720), (333, 1000)]
    for model in (
        "qwen2.5-vl-7b",
        "internvl3-8b",
        "gpt-5-mini",
        "claude-haiku-4.5",
        "gemini-2.5-pro",
        "siglip2-naflex",
    ):
        result = vt.count_messages(user(*(chat_image(data_url(*size)) for size in sizes)), model=model)
        counts = [vt.count(model, width=w, height=h, images_in_prompt=4) for w, h in sizes]
        assert [block.count.as_dict() for block in result.blocks] == [count.as_dict() for count in counts]
        assert result.total == result.tokens == sum(tokens for _, tokens in result.rows)


def test_dictionaries_hold_the_attributes():
    result = vt.count_messages(CHAT, model="gpt-4o", text_tokens=len)
    values = json.loads(json.dumps(result.as_dict()))
    assert (values["tokens"], values["text_tokens"], values["total"]) == (1955, 23, 1978)
    assert sum(block["tokens"] for block in values["blocks"]) == values["total"]
    assert values["blocks"][3] == {
        "where": "messages[1].content[2]", "message": 1, "role": "user", "kind": "image", "name": "base64 of image/png",
        "width": 2048, "height": 4096, "frames": None, "patches": None, "image_tokens": 1105, "marker_tokens": 0,
        "tokens": 1105, "assumed": False, "reason": None, "notes": [],
    }  # fmt: skip
    assert result.explain().endswith("sum: 9 + 8 + 765 + 1105 + 4 + 85 + 2 = 1,978 tokens".replace("1105", "1,105"))


def test_settings_of_another_vendor_are_noted():
    result = vt.count_messages(
        user(chat_image(SQUARE, detail="low"), chat_image(SQUARE, detail="auto")), model="qwen2.5-vl-7b"
    )
    assert [note for note in result.notes if "detail" in note] == [
        "messages[0].content[0]: detail=low has no effect on Qwen/Qwen2.5-VL-7B-Instruct, which has no such setting"]  # fmt: skip
    result = vt.count_messages(
        user(chat_image(SQUARE), chat_image(SQUARE, detail="high")), model="gpt-4o", detail="low"
    )
    assert [tokens for _, tokens in result.rows] == [85, 765]
    assert "detail=high of the prompt holds, not detail='low'" in result.notes[-1]


def test_objects_of_the_sdks_are_read():
    """`message.content` and `choices[0].message` are models of pydantic, which people append as they are."""
    block = SimpleNamespace(model_dump=lambda: {"type": "text", "text": "x", "citations": None})
    message = SimpleNamespace(model_dump=lambda: {"role": "assistant", "content": None, "tool_calls": []})
    result = vt.count_messages([message, *user(block)], model="gpt-4o", text_tokens=len)
    assert result.rows == (("messages[1].content[0]", 1),)


# ---------------------------------------------------------------- wrong structures


TOOL_RESULT = {"type": "tool_result", "content": []}
TOOL_RESULT["content"].append(TOOL_RESULT)
WRONG = {
    "text": ("hello", "messages: 'hello' stands where a list is meant"),
    "null": (None, "messages: None|null stands where a list"),
    "NaN": (float("nan"), "messages: nan stands"),
    "a request without": ({"prompt": []}, "give a list of messages, or an object with one of messages, input, contents"),
    "two requests": ({"messages": [], "input": []}, "with one of"),
    "a number": ([1], r"messages\[0\]: 1 stands where an object"),
    "no role": ([{"content": "x"}], r"messages\[0\]: no message in a known format: it has 'content'"),
    "a wrong key": ([{"role": "user", "contents": "x"}], r"messages\[0\]: .* Did you mean content\?"),
    "a role": ([{"role": 1, "content": "x"}], r"messages\[0\].role: 1 stands where a string is meant"),
    "content": ([{"role": "user", "content": 5}], r"messages\[0\].content: 5 stands where a list is meant"),
    "a string in a list": (user("x"), r"messages\[0\].content\[0\]: 'x' stands where an object"),
    "no type": (user({"text": "x"}), r"messages\[0\].content\[0\]: type is missing; it has 'text'"),
    "a wrong type": (user({"type": "imge_url"}), r"content\[0\]: a block of type 'imge_url'.* Did you mean image_url"),
    "a type that is a list": (user({"type": ["image"]}), r"content\[0\].type: a list stands where a string"),
    "text that is none": (user({"type": "text", "text": {}}), r"content\[0\].text: a dict stands where a string"),
    "no url": (user({"type": "image_url"}), r"content\[0\].image_url: null stands where an object"),
    "a url that is none": (user(chat_image(None)), r"content\[0\].image_url: url is missing"),
    "a detail": (user(chat_image(SQUARE, detail="hihg")), r"image_url.detail: 'hihg': known are .* Did you mean high"),
    "a detail of others": (user(chat_image(SQUARE, detail="original")), r"content\[0\]: setting detail is 'original'"),
    "no source": (user({"type": "image", "source": 3}), r"content\[0\].source: 3 stands where an object"),
    "a source": (user({"type": "image", "source": {"type": "hex"}}), r"source.type: 'hex': known are base64, url, file"),
    "bytes for text": (user({"type": "image", "source": {"type": "base64", "data": b"iVBO"}}), r"source.data: b'iVBO' stands"),
    "an array": (user({"type": "image", "image": [[0]]}), r"content\[0\].image: a list is no picture"),
    "two pictures": (user({"type": "image", "url": "a", "path": "b"}), r"content\[0\]: gives url and path"),
    "parts": ([{"parts": {}}], r"messages\[0\].parts: a dict stands where a list"),
    "a part": ([{"parts": [{"inlinedata": {}}]}], r"parts\[0\]: a part with 'inlinedata'.* Did you mean inline_data"),
    "no data": ([{"parts": [{"inlineData": {"mimeType": "image/png"}}]}], r"parts\[0\].inline_data: data is missing"),
    "a level": ([{"parts": [blob(9, 9, mediaResolution=7)]}], r"parts\[0\].media_resolution: 7 stands where an object"),
    "a mixture": ([*user(source(9, 9)), *user(chat_image(SQUARE))],
                  r"messages\[1\].content\[0\]: a block in the format of OpenAI chat, but messages\[0\].content\[0\] is in"),
    "a mixture in one": (user({"type": "image", "url": REMOTE}, source(9, 9)), r"content\[1\]: a block in the format of"),
    "a cycle": (user(TOOL_RESULT), "nested too deeply"),
}  # fmt: skip
BROKEN = {
    "base64": (user(chat_image("data:image/png;base64,iVBO*AAA")), r"messages\[0\].content\[0\]: .*'\*' at character 4"),
    "cut": (user(chat_image(SQUARE[:61])), r"messages\[0\].content\[0\]: .*cut off"),
    "truncated": (user(chat_image(SQUARE[:62])), r"messages\[0\].content\[0\]: .*cannot be opened|not a picture"),
    "a data URL": (user(chat_image("data:image/png,xx")), r"content\[0\].image_url: .* is no data URL of base64"),
    "a data URL for base64": (user({"type": "image", "source": {"type": "base64", "data": SQUARE}}), r"content\[0\]: .*leave out"),
    "no such file": (user(chat_image("none.png")), r"messages\[0\].content\[0\]: none.png: no such file"),
    "a device": (user(chat_image("/dev/zero")), r"messages\[0\].content\[0\]: /dev/zero: not a regular file"),
    "a PDF": (user(chat_image("data:application/pdf;base64,JVBERi0xLjcK")), r"content\[0\]: .*not a picture"),
    "no frames": (user({"type": "video", "video": []}), r"content\[0\].video: a video without frames"),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_structure_names_its_block(messages, said):
    with pytest.raises(UsageError, match=said):
        vt.count_messages(messages, model="gpt-4o")


@pytest.mark.parametrize(("messages", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_picture_names_its_block(messages, said):
    with pytest.raises(InputError, match=said):
        vt.count_messages(messages, model="gpt-4o")


def test_wrong_arguments():
    for how, said in (({"text_tokens": 3}, "give a function"), ({"text_tokens": str}, "messages.0..content: text_tokens returned"),
                      ({"assume": (3, 4)}, "is not a size"), ({"images": "a.png"}, "images: 'a.png' stands where a list"),
                      ({"detial": "low"}, "has no setting 'detial'")):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            vt.count_messages([{"role": "user", "content": "x"}], model="gpt-4o", **how)


def test_errors_hold_no_copy_of_what_was_given():
    with pytest.raises(UsageError) as caught:
        vt.count_messages(user("x" * 10_000_000), model="gpt-4o")
    assert len(str(caught.value)) < 300
    with pytest.raises(InputError) as caught:
        vt.count_messages(user(chat_image("*" * 10_000_000)), model="gpt-4o")
    assert len(str(caught.value)) < 300


WORDS = st.sampled_from(["user", "text", "image", "image_url", "input_image", "tool_result", "video", "base64", "url", "x", "",
                         "low", REMOTE, "data:image/png;base64,AAAA", "image/png", "MEDIA_RESOLUTION_LOW"])  # fmt: skip
NAMES = st.sampled_from(["role", "content", "parts", "type", "text", "image_url", "url", "detail", "source", "data", "image",
                         "inlineData", "inline_data", "mimeType", "mediaResolution", "level", "functionResponse", "output",
                         "messages", "contents", "input", "config", "images", "video", "path", "file_id", "x"])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.binary(max_size=9) | st.text(max_size=9) | WORDS
THINGS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | WORDS, inner, max_size=5), max_leaves=25
)
MESSAGES = st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": st.lists(
    st.dictionaries(NAMES, THINGS, max_size=4).flatmap(lambda block: WORDS.map(lambda word: {**block, "type": word})), max_size=3)}),
    max_size=2)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(THINGS | MESSAGES | st.lists(st.fixed_dictionaries({"parts": st.lists(THINGS, max_size=3)}), max_size=2))
def test_malformed_structures_end_in_errors_of_ours(messages):
    try:
        result = vt.count_messages(messages, model="gemini-3-pro")
    except vt.VistokenError:
        return
    assert result.total == sum(tokens for _, tokens in result.rows)


# ---------------------------------------------------------------- the command


def write(folder, value):
    path = folder / "request.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def test_the_command(tmp_path, capsys):
    path = write(tmp_path, {"messages": CHAT})
    assert run(["count", "--messages", path, "-m", "gpt-4o"]) == 0
    out = capsys.readouterr().out
    assert "messages[3].content[1]  tool" in out
    assert out.splitlines()[-1].split() == ["3", "blocks", "1,955"]
    assert run(["count", "--messages", path, "-m", "gpt-4o", "-m", "gpt-5-mini", "--json"]) == 0
    values = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["model"] for value in values] == ["gpt-4o", "gpt-5-mini"]
    assert values[0]["tokens"] == 1955
    assert run(["count", "--messages", path, "-m", "gpt-4o", "--explain"]) == 0
    assert "1,955 tokens" in capsys.readouterr().out


def test_the_command_names_what_is_unknown(tmp_path, capsys):
    path = write(tmp_path, user(chat_image(REMOTE), chat_image(SQUARE)))
    assert run(["count", "--messages", path, "-m", "gpt-4o"]) == 3
    seen = capsys.readouterr()
    assert f"failed: messages[0].content[0]: image, {REMOTE}: not counted: a URL, which is never fetched" in seen.err
    assert "765" in seen.out
    assert run(["count", "--messages", path, "-m", "gpt-4o", "--assume", "2048x4096"]) == 0
    assert "2048x4096 assumed" in capsys.readouterr().out


def test_the_command_reads_stdin(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(CHAT).encode("utf-8-sig"))))
    assert run(["count", "--messages", "-", "-m", "gpt-4o"]) == 0
    assert "1,955" in capsys.readouterr().out


def test_paths_in_a_file_begin_at_its_folder(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(png(1024, 1024))
    assert run(["count", "--messages", write(tmp_path, user(chat_image("a.png"))), "-m", "gpt-4o"]) == 0
    assert "765" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--messages", "none.json"], 3, "none.json is not there; - reads stdin"),
        (["--messages", "/dev/zero"], 3, "/dev/zero is no regular file"),
        (["--messages", "README.md"], 3, "README.md is not valid JSON"),
        (["--assume", "3x4"], 2, "--assume is for --messages"),
        (["--messages", "x.json", "64x64"], 2, "--messages takes no sources"),
        (["--messages", "x.json", "--frames", "3"], 2, "--messages takes no sources"),
        ([], 2, "Missing argument 'SOURCE...'"),
    ],
)
def test_the_command_refuses(words, code, said, capsys):
    assert run(["count", *words, "-m", "gpt-4o"]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [("[" * 100_000, 3, "nested too deeply|not valid JSON"), ("[NaN]", 3, "NaN is not a number of JSON"), ("", 3, "not valid JSON"),
     ('{"messages": 3}', 2, "messages: 3 stands where a list"), ("[1e999]", 2, "inf stands"), ('{"a":1}\n{"a":2}', 3, "JSON Lines"),
     ('[{"role":"user","content":[{"type":"image","path":"\\ud800\\u0000"}]}]', 3, "no such file")],
)  # fmt: skip
def test_hostile_files(text, code, said, tmp_path, capsys):
    import re

    assert run(["count", "--messages", write(tmp_path, text), "-m", "gpt-4o"]) == code
    assert re.search(said, capsys.readouterr().err)
