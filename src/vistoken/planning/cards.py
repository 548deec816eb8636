"""The table of built-in devices. What a letter of confidence means stands in `hardware.py`.

Left out are devices without a rate that could be confirmed (Apple M4, Jetson Orin), and those without a bandwidth (H100
NVL). Efficiencies are fits of `latency.py`'s model to the plain ViTs of timm's results (repository at aa4b5850, August
2026; smallest mean |log(forecast / measured)|); the fits and their errors are repeated by `tests/test_latency.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from vistoken.planning.hardware import Confidence, Device, Efficiency, Figure, Mode

# What is meant where a card comes in several forms.
ALIASES = {"a100": "a100-80", "h100": "h100-sxm", "h200": "h200-sxm", "rtx-pro6000": "rtx-pro6000-maxq"}

_SEEN = "2026-11-21"
_TITAN = "pytorch/torchtitan, tools/utils.py (cites NVIDIA)"
_A100 = "NVIDIA's A100 datasheet as cited at glennklockwood.com/garden/processors/A100; pytorch/torchtitan"
_H100 = "copy of NVIDIA's table with its footnote on sparsity, archive-lib.hpctech.co.jp/gpuproduct/nvidia-h100.html"
_H200 = "MLPerf system descriptions (memory); maintained code (bandwidth)"
_DGX = "NVIDIA's DGX B200 page, an eighth"
_L4 = "comparison page that cites NVIDIA (242 with sparsity); store.sourcecode.com"
_L40S = "reseller's copy of NVIDIA's datasheet (733 with sparsity); pytorch/torchtitan"
_T4 = "Lightning-AI/pytorch-lightning, utilities/throughput.py (cites NVIDIA's datasheet); several others"
_A10G = "disputed: 62.5, 70 and the A10's 125 are found"
_3090 = "half of 142 with sums in float16; timm's rows reach 63, which agrees"
_4090 = "hmc-tech.com, where sums in float16 have 330.3"
_5090 = "a quarter of 838 with sparsity and sums in float16"
_MAXQ = "derived from NVIDIA's AI TOPS, not confirmed; at 300 W timm's rows reach at most half of it"
_AMD = "pytorch/torchtitan (cites AMD) and two more"
_APPLE = "one book on Apple silicon; its figures for float16 contradict others and are left out"
_PAGES = "secondary specification pages"

_Entry = tuple[float, Confidence, str]


@cache
def cards() -> Mapping[str, Device]:
    """By name.

    >>> cards()["t4"].rate("float16").value
    65
    """
    table = (*_datacentre(), *_workstation(), *_apple())
    return MappingProxyType({device.name: device for device in table})


def _datacentre() -> tuple[Device, ...]:
    a100 = _half(312, "B", _A100) | _single(19.5, "B", _A100)
    sxm, pcie = (_half(half, "A", _H100) | _single(single, "A", _H100) for half, single in ((989.4, 67), (756, 51)))
    return (
        _gpu("a100-40", "NVIDIA A100 SXM 40 GB", a100, (1555, "B", _A100), (40, "B", _A100)),
        _gpu("a100-80", "NVIDIA A100 SXM 80 GB", a100, (2039, "B", _A100), (80, "B", _A100)),
        _gpu("h100-sxm", "NVIDIA H100 SXM", sxm, (3350, "A", _H100), (80, "A", _H100)),
        _gpu("h100-pcie", "NVIDIA H100 PCIe", pcie, (2000, "A", _H100), (80, "A", _H100)),
        _gpu("h200-sxm", "NVIDIA H200 SXM", _half(989, "B", _TITAN), (4800, "B", _H200), (141, "B", _H200)),
        _gpu("b200", "NVIDIA B200 (HGX, 1000 W)", _half(2250, "B", _TITAN), (8000, "B", _DGX), (180, "B", _DGX)),
        _gpu("l4", "NVIDIA L4", _half(121, "B", _L4), (300, "B", _L4), (24, "B", _L4)),
        _gpu("l40s", "NVIDIA L40S", _half(362, "A", _L40S), (864, "A", _L40S), (48, "A", _L40S)),
        _gpu("t4", "NVIDIA T4", {"float16": (65, "B", _T4)}, (320, "B", _T4), (16, "B", _T4)),
        _gpu("a10g", "NVIDIA A10G", _half(70, "C", _A10G), (600, "C", _PAGES), (24, "C", _PAGES)),
        _gpu("mi300x", "AMD Instinct MI300X", _half(1307, "B", _AMD), (5300, "B", _AMD), (192, "B", _AMD)),
    )


def _workstation() -> tuple[Device, ...]:
    return (
        _gpu(
            "rtx3090", "NVIDIA GeForce RTX 3090", _half(71, "C", _3090), (936, "C", _PAGES), (24, "C", _PAGES),
            _efficiency("eager", 1.10, 2.9, "amp-nchw-pt240-cu124-rtx3090"),
        ),
        _gpu(
            "rtx4090", "NVIDIA GeForce RTX 4090", _half(165.2, "B", _4090), (1008, "B", _4090), (24, "B", _4090),
            _efficiency("eager", 1.00, 2.3, "amp-nchw-pt240-cu124-rtx4090"),
            _efficiency("compiled", 1.02, 1.3, "amp-nchw-pt291-cu128-4090-dynamo"),
        ),
        _gpu(
            "rtx5090", "NVIDIA GeForce RTX 5090", _half(209.5, "C", _5090), (1792, "B", _PAGES), (32, "B", _PAGES),
            _efficiency("eager", 0.84, 2.1, "amp-nchw-pt291-cu130-5090"),
            _efficiency("compiled", 0.96, 1.4, "amp-nchw-pt291-cu130-5090-dynamo"),
        ),
        _gpu(
            "rtx-pro6000-maxq", "NVIDIA RTX PRO 6000 Blackwell Max-Q", _half(439, "C", _MAXQ), (1792, "C", _MAXQ),
            (96, "B", _PAGES),
            _efficiency("eager", 0.60, 2.9, "amp-nchw-pt291-cu130-pro6000maxq"),
            _efficiency("compiled", 0.58, 1.6, "bf16-nchw-pt291-cu130-pro6000maxq-dynamo"),
        ),
    )  # fmt: skip


def _apple() -> tuple[Device, ...]:
    chips = (("m1", 2.6, 68, 16), ("m1-pro", 5.2, 200, 32), ("m1-max", 10.4, 400, 64), ("m1-ultra", 20.8, 800, 128))
    return tuple(
        _gpu(
            name, f"Apple {name.replace('-', ' ').title()} GPU, {memory} GB", _single(rate, "C", _APPLE),
            (bandwidth, "C", _APPLE), (memory, "C", _APPLE),
        )
        for name, rate, bandwidth, memory in chips
    )  # fmt: skip


def _gpu(
    name: str,
    label: str,
    rates: Mapping[str, _Entry],
    bandwidth: _Entry,
    memory: _Entry,
    *efficiencies: Efficiency,
) -> Device:
    by_dtype = tuple((dtype, _figure(entry)) for dtype, entry in rates.items())
    return Device(name, label, "gpu", by_dtype, _figure(bandwidth), _figure(memory), efficiencies)


def _figure(entry: _Entry) -> Figure:
    value, confidence, source = entry
    return Figure(value, source, _SEEN, confidence)


def _half(value: float, confidence: Confidence, source: str) -> dict[str, _Entry]:
    """Tensor cores run both at one rate."""
    return dict.fromkeys(("bfloat16", "float16"), (value, confidence, source))


def _single(value: float, confidence: Confidence, source: str) -> dict[str, _Entry]:
    """True float32, which is torch's default for matrices, not TF32."""
    return {"float32": (value, confidence, source)}


def _efficiency(mode: Mode, compute: float, traffic: float, file: str) -> Efficiency:
    """Fitted to a file of timm's results; automatic mixed precision there, so norms and sums are in float32."""
    source = f"huggingface/pytorch-image-models, results/benchmark-infer-{file}.csv"
    return Efficiency(mode, compute, traffic, ("bfloat16", "float16"), source)
