"""`plan --device`: the same numbers as the functions behind it, and budgets of memory and latency."""

import json

import pytest

from vistoken.planning import plan
from vistoken.planning.hardware import device
from vistoken.planning.latency import latency
from vistoken.planning.memory import allowance

SIGLIP = ("plan", "-m", "siglip-so400m14-384", "--batch", "64", "--dtype", "bfloat16")


def test_memory_and_latency_are_those_of_the_functions(run):
    code, out, _ = run(*SIGLIP, "--device", "l4", "--device", "rtx4090", "--mode", "compiled", "--json")
    planned = plan("siglip-so400m14-384", batch=64, dtype="bfloat16")
    peak = planned.memory.inference()
    entries = json.loads(out)["devices"]
    assert code == 0
    assert [entry["device"] for entry in entries] == ["l4", "rtx4090"]
    for entry in entries:
        card = device(entry["device"])
        assert entry["memory"] == {
            "needed": peak.total + allowance(peak).total, "has": card.memory_bytes, "fits": True,
        }  # fmt: skip
        wanted = latency(planned.operations, card, dtype="bfloat16", batch=64, mode="compiled")
        assert entry["latency"] == json.loads(json.dumps(wanted.as_dict()))


def test_the_table_says_what_fits_and_by_how_much_not(run):
    code, out, _ = run(*SIGLIP[:3], "--batch", "4096", "--dtype", "bfloat16", "--device", "l4", "--device", "h200")
    assert code == 0
    [short, fits] = [line for line in out.splitlines() if line.startswith("siglip-so400m14-384  384x384")]
    assert "GiB short" in short
    assert "yes" in fits.split()
    assert "h200-sxm is unvalidated for this mode and dtype" in out


def test_budgets_of_memory_and_latency_are_held(run):
    budgets = ("--device", "rtx4090", "--within", "memory<=3GiB, latency<=600ms", "--json")
    code, out, _ = run(SIGLIP[0], "2048x2048", *SIGLIP[1:], *budgets)
    found = json.loads(out)
    assert code == 0
    card, uses = device("rtx4090"), {}
    for batch in (found["batch"], found["batch"] + 1):
        planned = plan("siglip-so400m14-384", batch=batch, dtype="bfloat16")
        peak = planned.memory.inference()
        seconds = latency(planned.operations, card, dtype="bfloat16", batch=batch, mode="eager").seconds.high
        uses[batch] = peak.total + allowance(peak).total <= 3 * 2**30 and seconds <= 0.6
    assert list(uses.values()) == [True, False]
    code, _, error = run(*SIGLIP, "--within", "memory<=100MiB")
    assert code == 3
    assert "memory" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "l4"), "l4 has no rate for dtype 'float32'"),
        (("--device", "t4", "--dtype", "bfloat16"), "t4 has no rate for dtype 'bfloat16'"),
        (("--device", "l4", "--dtype", "bfloat16", "--batch", "1000000000"), "planned for up to 1,000,000"),
    ],
)
def test_what_is_not_known_is_a_dash_with_its_reason(run, arguments, message):
    code, out, _ = run("plan", "-m", "vit-b16-224", *arguments)
    assert code == 0
    assert message in out
    code, out, _ = run("plan", "-m", "vit-b16-224", *arguments, "--json")
    [entry] = json.loads(out)["devices"]
    assert code == 0
    assert None in (entry["memory"], entry["latency"])
    assert any(message in reason for reason in entry["reasons"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "rtx409"), "Did you mean rtx4090"),
        (("--device", "rtx4090", "--mode", "compile"), "mode 'compile' is unknown"),
        (("--within", "latency<=5ms"), "add --device NAME"),
        (("--mode", "compiled"), "--mode goes with --device"),
        (("--device", "rtx4090", "--dtype", "bfloat16", "--within", "latency<=5ms"), "needs an upper bound"),
    ],
)
def test_wrong_use_is_refused(run, arguments, message):
    code, _, error = run("plan", "-m", "vit-b16-224", *arguments)
    assert code == 2
    assert message in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sort", "cost"), "give --gpu-price"),
        (("--sort", "-rate"), "give --device"),
        (("examples/images", "-o", "report.html"), "folders and tables are whole jobs"),
    ],
)
def test_what_would_be_another_answer_is_refused(run, arguments, message):
    code, _, error = run("plan", "-m", "vit-b16-224", *arguments)
    assert code == 2
    assert message in error
