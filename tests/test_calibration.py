"""Measuring this machine: what is stored, and whether forecasts for it hold."""

import time
from dataclasses import replace

import pytest

pytest.importorskip("torch")

import torch

from vistoken import calibration, registry
from vistoken.calibration import Bench, calibrate
from vistoken.encoding import VisionEncoder, pack
from vistoken.errors import InputError, UsageError
from vistoken.geometry import Grid
from vistoken.planning import operations
from vistoken.planning.device_files import read_devices, write_device
from vistoken.planning.latency import latency


def test_constants_that_made_the_times_are_found_again():
    """Two blocks whose times follow the model exactly: e = 0.8, m = 5."""
    found = calibration._solved((2.0, 0.1, 2.0 / 0.8 + 0.5), (9.0, 0.2, 9.0 / 0.8 + 1.0), "float32", "by hand")
    assert (found.compute, found.traffic) == pytest.approx((0.8, 5.0))


@pytest.mark.parametrize("longer", [5.0, 500.0])
def test_times_that_nothing_explains_are_refused(longer):
    with pytest.raises(InputError, match="busy") as caught:
        calibration._solved((2.0, 0.1, 3.0), (9.0, 0.2, longer), "float32", "by hand")
    assert caught.value.exit_code == 3


def test_unknown_places():
    with pytest.raises(UsageError, match="Did you mean cuda"):
        calibrate("cudda")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="torch finds no cuda device"):
            calibrate("cuda")


def test_the_clock_leaves_out_other_work_with_one_thread(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert Bench("cpu", 1, 2).seconds([lambda: time.sleep(0.05)])[0] < 0.04
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert Bench("cpu", 1, 2).seconds([lambda: time.sleep(0.05)])[0] >= 0.05


def test_the_command_measures_stores_and_prints_where(run, tmp_path, monkeypatch):
    """With times that are given: a copy of 10 ms, blocks of 40 and 125, a product of 20. How true they are: slow test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def given(bench, works):
        assert torch.get_num_threads() == 1
        for work in works:
            work()
        return [0.010, 0.040, 0.125, 0.020]

    monkeypatch.setattr(Bench, "seconds", given)
    threads = torch.get_num_threads()
    code, out, err = run("plan", "--calibrate", "--threads", "1")
    path = tmp_path / "vistoken" / "calibrated.toml"
    assert (code, err) == (0, "")
    assert f"stored in {path} as this-cpu" in out
    device = read_devices(str(path), {})["this-cpu"]
    assert (device.kind, [dtype for dtype, _ in device.rates]) == ("cpu", ["float32"])
    assert device.bandwidth.value == pytest.approx(2 * 128 * 2**20 / 0.010 / 1e9)
    assert device.rate("float32").value == pytest.approx(2 * 1024**3 / 0.020 / 1e12)
    assert device.rate("float32").confidence == "A"
    assert torch.get_num_threads() == threads
    # The constants explain the times they were made of.
    for name, taken in (("vit-s16-224", 0.040), ("vit-b16-224", 0.125)):
        steps = operations(replace(registry.describe(name).encoder, depth=1), [Grid(24, 24)])
        assert latency(steps, device, dtype="float32").total == pytest.approx(taken)


@pytest.mark.parametrize(("words", "message"), [
    (["--calibrate", "cpu", "-m", "vit-b16-224"], "takes no source and no model: leave out vit-b16-224"),
    (["--calibrate", "tpu"], "'tpu' cannot be calibrated: known are cpu, cuda, mps"),
    (["-m", "vit-b16-224", "--threads", "1"], "--threads goes with --calibrate"),
    (["--calibrate", "cpu", "--threads", "0"], "0 is not in the range"),
])  # fmt: skip
def test_wrong_use_of_the_command(run, words, message):
    code, out, err = run("plan", *words)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.slow
def test_forecasts_for_this_machine(tmp_path):
    """ViT-S/16, ViT-B/16 and SigLIP B/16 at three sizes, one thread, CPU time: within 15 %; measured in under a minute."""
    began = time.process_time()
    measured = calibrate("cpu", threads=1)
    assert time.process_time() - began < 60
    write_device(measured, str(tmp_path / "calibrated.toml"))
    device = read_devices(str(tmp_path / "calibrated.toml"), {})["this-cpu"]
    before, off = torch.get_num_threads(), {}
    torch.set_num_threads(1)
    try:
        for name in ("vit-s16-224", "vit-b16-224", "siglip-b16-224"):
            spec = registry.describe(name).encoder
            module = VisionEncoder(spec).eval().requires_grad_(False)
            for parameter in module.parameters():
                torch.nn.init.normal_(parameter, 0, 0.02)
            for side in (224, 384, 512):
                packed = pack([torch.randn(3, side, side)], spec.patch)
                with torch.inference_mode():
                    [taken] = Bench("cpu", 1, 4).seconds([lambda module=module, packed=packed: module(packed)])
                steps = operations(spec, [Grid(side // 16, side // 16)])
                forecast = latency(steps, device, dtype="float32").seconds
                assert taken in forecast
                off[name, side] = forecast.likely / taken - 1
    finally:
        torch.set_num_threads(before)
    print({key: f"{value:+.1%}" for key, value in off.items()})
    assert max(map(abs, off.values())) <= 0.15, off
    # The check would notice: twice the rate, half the time.
    wrong = replace(device, rates=tuple((dtype, replace(rate, value=2 * rate.value)) for dtype, rate in device.rates))
    assert latency(steps, wrong, dtype="float32").total < 0.85 * taken
