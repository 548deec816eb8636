"""Writes the tables of measured errors in `docs/planning.md`: `make planning-page`, or `TABLES="latency"` for some.

Every table stands between two markers and is measured by the functions of the tests, which hold the same numbers to
bounds. `calibration` times this machine, so it is written only where it is asked for by name.
"""

import datetime
import re
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "planning.md"
BLOCK = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
BATCHES = (1, 8, 64)
ENGINES = ("fused", "eager")


@dataclass(frozen=True)
class Pair:
    """What was planned and what was measured."""

    planned: float
    measured: float

    @property
    def error(self) -> float:
        return self.planned / self.measured - 1


def table(header: str, rows: Iterable[Iterable[object]]) -> str:
    """Markdown; a column whose name begins with `#` holds numbers."""
    names = header.split(" | ")
    lines = [[name.lstrip("#") for name in names], ["---:" if name[0] == "#" else "---" for name in names], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def percent(share: float, sign: str = "+") -> str:
    """To two digits; a bare 0 where there is no difference at all."""
    if 0 < abs(share) < 0.00005:
        return "under 0.01%"
    return f"{share:{sign}.2%}" if share else "0"


def largest(pairs: Iterable[Pair]) -> str:
    """Of the errors, with its sign."""
    return percent(max((pair.error for pair in pairs), key=abs))


def mebibytes(value: float) -> str:
    return f"{value / 2**20:,.1f}"


def spread(pairs: Iterable[Pair]) -> tuple[int, str, str]:
    """How many, the median of the absolute errors, the largest error."""
    found = list(pairs)
    return len(found), percent(statistics.median(abs(pair.error) for pair in found), ""), largest(found)


# ---------------------------------------------------------------- parameters and multiply-adds

# Of `test_planning._full_size`, with two sizes each.
SIZES = {
    "vit-b16-224": ("224x224", "320x208"), "deit-b16-224": ("224x224", "256x480"), "clip-l14-336": ("336x336", "504x280"),
    "siglip-so400m14-384": ("384x384", "500x300"), "dinov2-g14": ("224x224", "518x322"),
    "dinov2-b14-reg": ("224x224", "700x420"), "dinov3-b16": ("224x224", "512x336"), "aimv2-l14-native": ("224x224", "639x451"),
}  # fmt: skip


def exact() -> str:
    built = [
        (sum(abs(ours.get(part, 0) - theirs.get(part, 0)) for part in {*ours, *theirs})) for ours, theirs in _built()
    ]
    counted = list(_multiply_adds())
    rows = [
        ("parameters, part by part", "every built-in encoder, built on the meta device", len(built), max(built)),
        ("multiply-adds", "`FlopCounterMode` / 2 on transformers' models, eager", len(counted),
         max(abs(pair.planned - pair.measured) for pair in counted)),
    ]  # fmt: skip
    return table("quantity | against | #cases | #largest difference", rows)


def _built():
    """Planned and built parameters by part."""
    import test_planning
    import torch

    from vistoken import registry
    from vistoken.encoding import VisionEncoder
    from vistoken.planning import plan

    for name in test_planning.ENCODERS:
        with torch.device("meta"):
            module = VisionEncoder(registry.describe(name).encoder)
        built: dict[str, int] = {}
        for path, parameter in module.named_parameters():
            part = test_planning._part(path)
            built[part] = built.get(part, 0) + parameter.numel()
        yield {part: value for part, value in plan(name, **test_planning.ANY).params.rows if value}, built


def _multiply_adds():
    import test_planning
    import torch
    import transformers

    from vistoken.geometry import Size
    from vistoken.planning import plan

    for name, sizes in SIZES.items():
        module, options = test_planning._full_size(transformers, name)
        for size in map(Size.parse, sizes):
            for batch in (1, 3):
                pixels = torch.empty(batch, 3, size.height, size.width, device="meta")
                counted = test_planning._counted(module, pixels, **options)
                yield Pair(plan(name, input=size, batch=batch).macs.total, counted)


# ---------------------------------------------------------------- memory


def inference() -> str:
    rows = [_inference_row(*case) for case in inference_cases()]
    return table("model | dtype | #fused, 1 | #8 | #64 | #eager, 1 | #8 | #64 | #error", rows)


def inference_cases():
    import test_plan_memory

    return [(family, dtype) for family in (*test_plan_memory.MODELS, "Qwen2.5-VL") for dtype in ("float32", "bfloat16")]


def _inference_row(family: str, dtype: str) -> list[object]:
    pairs = [inference_pair(family, dtype, engine, batch) for engine in ENGINES for batch in BATCHES]
    return [family, dtype, *(mebibytes(pair.measured) for pair in pairs), largest(pairs)]


def inference_pair(family: str, dtype: str, engine: str, batch: int) -> Pair:
    import test_plan_memory as judge

    if family == "Qwen2.5-VL":
        return _qwen(dtype, engine, batch)
    planned = judge._planned(family, batch, dtype).inference("transformers", engine)
    return Pair(planned.total, judge._measured(family, engine, batch, dtype))


def _qwen(dtype: str, engine: str, batch: int) -> Pair:
    import test_plan_memory as judge
    import torch

    from vistoken.planning import plan

    result = plan("qwen2.5-vl-7b", input="1288x728", batch=batch, dtype=dtype)
    [grid] = [view.grid for view in result.views]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", judge._fused)
        measured = judge._tower([(grid.rows, grid.cols)] * batch, engine, dtype, "meta")
    return Pair(result.memory.inference("transformers", engine).total, measured)


def training() -> str:
    import test_plan_memory as judge

    rows = []
    with pytest.MonkeyPatch.context() as patch:
        judge.softmax_as_on_cuda(patch)
        for family in judge.MODELS:
            passes = (_autocast(family), _training(family, False), _training(family, True))
            rows.append([family, *(cell for pairs in passes for cell in spread(pairs)[1:])])
    names = "#autocast, median | #largest | #training, median | #largest | #checkpointing, median | #largest"
    return table(f"model | {names}", rows)


def _autocast(family: str):
    import test_plan_memory as judge

    for engine in ENGINES:
        for batch in BATCHES:
            planned = judge._planned(family, batch, "float32").inference("transformers", engine, autocast=True)
            yield Pair(planned.total, judge._measured(family, engine, batch, "float32", autocast=True))


def _training(family: str, checkpointing: bool):
    import test_plan_memory as judge

    for dtype, autocast, engine in judge.MODES:
        for batch in BATCHES:
            options = {"autocast": autocast, "checkpointing": checkpointing}
            planned = judge._planned(family, batch, dtype).training("transformers", engine, **options)
            yield Pair(planned.total, judge._measured(family, engine, batch, dtype, training=True, **options))


def own() -> str:
    rows = [[name, *spread(_own(name))] for name in ("vit-b16-224", "siglip-b16-224", "dinov3-b16", "qwen2.5-vl-7b")]
    return table("model | #cases | #median | #largest", rows)


def _own(name: str):
    """Narrow and in full width (four blocks), views alike and mixed, both engines."""
    import test_plan_memory as judge

    from vistoken.planning import plan

    whole = plan(name, input="448x448").encoder
    full = replace(whole, depth=4, windows=whole.windows and replace(whole.windows, full=(3,)))
    for engine, ours, dtype in judge.RUNS:
        result = plan(name, input="448x448", dtype=dtype)
        for spec in (judge._shallow(whole), full):
            for grids in judge.PACKS.values():
                views = tuple(replace(result.views[0], grid=grid) for grid in grids)
                planned = replace(result, encoder=spec, views=views, operations=judge._steps(spec, grids))
                peak = planned.memory.inference("vistoken", engine).total
                yield Pair(peak, judge._ours(spec, grids, ours, dtype))


# ---------------------------------------------------------------- latency


def latency() -> str:
    """Every card from the constants of the other GeForce cards."""
    import test_latency as judge

    rows = []
    for card, mode in judge.FILES:
        others = [row for other in judge.GEFORCE[mode] if other != card for row in judge.terms(other, mode)]
        rows.append(latency_row(card, mode, *judge.fitted(others)))
    return table("card | mode | #rows | #e | #m | #median | #90th | #largest | #within 25 %", rows)


def latency_row(card: str, mode: str, compute: float, traffic: float) -> list[object]:
    """How far the forecasts with these constants are from what was measured on the card."""
    import test_latency as judge

    found = judge.errors(judge.terms(card, mode), compute, traffic)
    median, ninth, _ = judge.spread(found)
    within = sum(abs(error) <= judge.OFF for error in found) / len(found)
    farthest = f"{max(found, key=abs):+.1%}"
    shares = [f"{median:.1%}", f"{ninth:.1%}", farthest, f"{within:.0%}"]
    return [card, mode, len(found), f"{compute:.2f}", f"{traffic:.1f}", *shares]


def calibration() -> str:
    """This machine on one thread, in CPU seconds: calibrated, then our encoder timed and forecast."""
    import torch

    from vistoken.calibration import calibrate
    from vistoken.planning.latency import latency as forecast

    threads = torch.get_num_threads()
    measured = calibrate("cpu", threads=1)
    torch.set_num_threads(1)
    rows: dict[str, list[object]] = {}
    try:
        for name, steps, taken in _timed():
            likely = forecast(steps, measured, dtype="float32").total
            cells = f"{1000 * taken:,.0f} ms", f"{likely / taken - 1:+.1%}"
            rows.setdefault(name, [name]).extend(cells)
    finally:
        torch.set_num_threads(threads)
    return table("model | #224x224 | #error | #384x384 | #error | #512x512 | #error", rows.values())


def _timed():
    import torch

    from vistoken import registry
    from vistoken.calibration import Bench
    from vistoken.encoding import VisionEncoder, pack
    from vistoken.geometry import Grid
    from vistoken.planning import operations

    for name in ("vit-s16-224", "vit-b16-224", "siglip-b16-224"):
        spec = registry.describe(name).encoder
        module = VisionEncoder(spec).eval().requires_grad_(False)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, 0, 0.02)
        for side in (224, 384, 512):
            packed = pack([torch.randn(3, side, side)], spec.patch)
            with torch.inference_mode():
                [taken] = Bench("cpu", 1, 4).seconds([lambda module=module, packed=packed: module(packed)])
            yield name, operations(spec, [Grid(side // 16, side // 16)]), taken


# ---------------------------------------------------------------- the page

TABLES: dict[str, Callable[[], str]] = {
    "exact": exact, "inference": inference, "training": training, "own": own, "latency": latency, "calibration": calibration,
}  # fmt: skip


def written(text: str, name: str, measured: str) -> str:
    """The page with this table in its place."""
    assert f"<!-- measured: {name} -->" in text
    return BLOCK.sub(lambda block: block[1] + measured + block[3] if block[2] == name else block[0], text)


def _stamp(name: str) -> str:
    import torch
    import transformers

    versions = f"torch {torch.__version__.partition('+')[0]}, transformers {transformers.__version__}"
    return f"\nMeasured {datetime.date.today()} with {versions}; again: `make planning-page TABLES={name}`.\n"


if __name__ == "__main__":
    asked = sys.argv[1:] or [name for name in TABLES if name != "calibration"]
    if unknown := set(asked) - set(TABLES):
        raise SystemExit(f"no table {', '.join(sorted(unknown))}: known are {', '.join(TABLES)}")
    for each in asked:  # one by one, so that what is measured is not lost
        measured = TABLES[each]() + _stamp(each)
        PAGE.write_text(written(PAGE.read_text(), each, measured))
