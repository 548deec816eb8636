"""Device files: what they add and override, and that hostile ones are refused with the rule they broke."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vistoken.errors import OutputError, UsageError
from vistoken.planning.cards import cards
from vistoken.planning.device_files import as_toml, read_devices, user_files, write_device
from vistoken.planning.hardware import Figure, device, devices

GOOD = """
[devices.mine]
label = "My card"
memory = 24
bandwidth = 1008.5
source = "the vendor's datasheet"
confidence = "B"
seen = "2026-11-21"
[devices.mine.rates]
float16 = 165
[devices.mine.efficiency.eager]
compute = 0.93
traffic = 2.4
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "devices.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_a_file_adds_a_device(written):
    mine = device("mine", written(GOOD))
    assert (mine.label, mine.kind, mine.memory_bytes) == ("My card", "gpu", 24_000_000_000)
    assert mine.rate("float16") == Figure(165.0, "the vendor's datasheet", "2026-11-21", "B")
    assert mine.bandwidth.value == 1008.5
    eager = mine.efficiency("eager", "float16")
    assert eager is not None
    assert (eager.compute, eager.traffic) == (0.93, 2.4)
    assert mine.efficiency("compiled", "float16") is None
    with pytest.raises(UsageError, match="Did you mean mine"):
        device("mien", written(GOOD))


def test_a_file_overrides_what_it_names(written):
    path = written('[devices.t4]\nmemory = 15\nsource = "nvidia-smi"\n[devices.t4.rates]\nfloat32 = 8.1')
    ours, before = device("t4", path), cards()["t4"]
    assert ours.memory == Figure(15.0, "nvidia-smi", "no date", "C")
    assert ours.bandwidth == before.bandwidth
    assert [dtype for dtype, _ in ours.rates] == ["float16", "float32"]
    assert device("t4") == before


def test_the_user_files_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    measured, by_hand = user_files()
    assert [Path(measured).name, Path(by_hand).name] == ["calibrated.toml", "devices.toml"]
    os.mkdir(tmp_path / "vistoken")
    Path(measured).write_text(GOOD)
    Path(by_hand).write_text("[devices.mine]\nmemory = 12")
    assert (device("mine").memory.value, device("mine").bandwidth.value) == (12.0, 1008.5)
    assert list(devices())[-1] == "mine"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # which the specification says to ignore
    assert user_files()[0] == os.path.join(os.path.expanduser("~"), ".config", "vistoken", "calibrated.toml")


@pytest.mark.parametrize(("text", "words"), [
    ("[devices", "not valid TOML"),
    (b"\xff\xfe", "not UTF-8"),
    ("a = " + "[" * 100_000, "nested too deeply|not valid TOML"),
    ("a = " + "9" * 5000, "not valid TOML|no key"),
    (" " * (2**20 + 1), "more than the 1,048,576 allowed"),
    ("[device.x]", "'device' is no key: known are devices. Did you mean devices"),
    ("devices = 3", "devices is 3: it must be a table"),
    ("[devices]\nmine = 3", "mine is 3: it must be a table"),
    ("[devices.mine]\nmemory = 3", "mine is no known device, so it needs bandwidth, rates too"),
    ("[devices.t4]\nmemroy = 3", "'memroy' is no key in t4: known are .* Did you mean memory"),
    ("[devices.t4]\nmemory = true", "t4.memory is True: it must be a number"),
    ("[devices.t4]\nmemory = nan", "t4.memory is nan"),
    ("[devices.t4]\nmemory = inf", "t4.memory is inf"),
    ("[devices.t4]\nmemory = 0", "t4.memory is 0: it must be a number from 1e-06 to 1e.09"),
    ("[devices.t4]\nmemory = -16", "t4.memory is -16"),
    ("[devices.t4]\nmemory = " + "9" * 400, "t4.memory is 9"),
    ("[devices.t4]\nmemory = 2026-11-21", "it must be a number"),
    ("[devices.t4]\nmemory = '16'", "it must be a number"),
    ("[devices.t4]\nlabel = 3", "t4.label is 3: it must be one line"),
    ("[devices.t4]\nlabel = ''", "t4.label is ''"),
    ("[devices.t4]\nlabel = \"a\\u001b[31m\"", "it must be one line"),
    (f"[devices.t4]\nsource = '{'x' * 301}'", "t4.source is"),
    ("[devices.t4]\nkind = 'npu'", "t4.kind is 'npu': it must be one of gpu, cpu"),
    ("[devices.t4]\nkind = []", "it must be one of gpu, cpu"),
    ("[devices.t4]\nconfidence = 'D'", "it must be one of A, B, C"),
    ("[devices.t4.rates]\nfloat61 = 3", "'float61' is no key in t4.rates: .* Did you mean float16"),
    ("[devices.t4]\nrates = 65", "t4.rates is 65: it must be a table"),
    ("[devices.t4.efficiency.eagre]", "Did you mean eager"),
    ("[devices.t4.efficiency.eager]\ncompute = 1", "t4.efficiency.eager needs traffic"),
    ("[devices.t4.efficiency.eager]\ncompute = 0\ntraffic = 1", "compute is 0"),
    ("[devices.t4.efficiency.eager]\ncompute = 1\ntraffic = -1", "traffic is -1"),
    ("[devices.t4.efficiency.eager]\ncompute = 1\ntraffic = 1\ndtypes = 'float16'", "must be a list"),
    ("[devices.t4.efficiency.eager]\ncompute = 1\ntraffic = 1\ndtypes = [[]]", "must be a list"),
    ("[devices.'Not a name']", "device name 'Not a name'"),
    ("[devices.\"x\\u001b\"]", "device name"),
    ("[devices]\n" + "\n".join(f"d{n} = 1" for n in range(1001)), "more than 1,000 devices"),
])  # fmt: skip
def test_malformed_files_are_refused_by_name(written, text, words):
    path = written(text)
    with pytest.raises(UsageError, match=words) as caught:
        device("t4", path)
    assert str(caught.value).startswith(f"device file {path}")
    assert len(str(caught.value)) < len(path) + 600
    assert str(caught.value).isprintable()


def test_what_is_no_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        device("t4", str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match="not a regular file"):
        device("t4", str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        device("t4", str(tmp_path / "pipe"))


@given(st.text(max_size=60) | st.sampled_from(["[devices.t4]\n", "[devices.t4.rates]\n"]).flatmap(lambda head: st.text(max_size=40).map(lambda tail: head + tail)))  # fmt: skip
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused(tmp_path, text):
    path = tmp_path / "devices.toml"
    path.write_text(text, encoding="utf-8", errors="ignore", newline="")
    try:
        assert "t4" in read_devices(str(path), cards())
    except UsageError as error:
        assert "device file" in str(error)


@pytest.mark.parametrize("name", ["rtx4090", "t4", "m1"])
def test_what_is_written_is_read_back(tmp_path, name):
    before = cards()[name]
    about = before.bandwidth
    # One entry has one source for all its figures.
    entry = replace(before, name="mine", label='a "quoted" \\ label', memory=replace(about, value=before.memory.value),
                    rates=tuple((dtype, replace(about, value=figure.value)) for dtype, figure in before.rates))  # fmt: skip
    path = str(tmp_path / "deep" / "calibrated.toml")
    write_device(replace(entry, name="other"), path)
    write_device(replace(entry, label="an older one"), path)
    write_device(entry, path)
    assert read_devices(path, {}) == {"other": replace(entry, name="other"), "mine": entry}
    assert as_toml(entry) in Path(path).read_text()


def test_what_cannot_be_written(tmp_path, written):
    with pytest.raises(OutputError, match="cannot be written"):
        write_device(cards()["t4"], str(Path(written("")) / "below" / "calibrated.toml"))
    broken = written("[devices")
    with pytest.raises(UsageError, match="not valid TOML"):
        write_device(cards()["t4"], broken)
    assert Path(broken).read_text() == "[devices"
