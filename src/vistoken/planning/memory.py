"""Memory: weights in any dtype, and the peak of inference and training by named implementation.

What lives at the peak is a property of code as much as of networks, so every answer names the implementation. It is
the sum of live tensors: what an allocator rounds and a GPU's context takes stands apart, see `allowance`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from vistoken.errors import UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.planning.tally import Tally

if TYPE_CHECKING:
    from vistoken.planning.hardware import Device
    from vistoken.planning.inference import BatchedTower, OwnEncoder, PackedTower
    from vistoken.planning.living import Moment, Pass
    from vistoken.planning.plans import Plan
    from vistoken.spec import EncoderSpec

# Bytes of a number.
DTYPES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
# Bits of a number in the matrices of the blocks; everything else, and the arithmetic, is bfloat16.
WEIGHT_ONLY = {"int8": 8, "int4": 4}
GROUP = 128  # numbers of a row that share a scale and a zero in int4 (torchao, `Int4WeightOnlyConfig.group_size`)
# Whether scores stay on the chip, or are written out (our engine "reference").
Engine = Literal["fused", "eager"]
FUSED: Engine = "fused"
MAX_PASS = 1_000_000  # views at once: each is looked at, and no device holds so many
IMPLEMENTATIONS = ("vistoken", "transformers")
WEIGHTS = "the weights alone; activations, allocator and context come on top"
PEAK = "live tensors at the peak, first-order gradients only; allocator and context come on top, see allowance()"
MIB = 2**20


@frozen
class Peak:
    """The most that lives at once, in bytes: rows that sum to `total`, and the step at which it is reached."""

    implementation: str
    moment: str
    rows: tuple[tuple[str, int], ...]
    convention: str = PEAK

    @property
    def total(self) -> int:
        return sum(value for _, value in self.rows)

    def on(self, device: Device) -> int:
        """Bytes that it takes of a device: on a GPU with the `allowance`."""
        return self.total + (allowance(self).total if device.kind == "gpu" else 0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {
            "total": self.total,
            "rows": dict(self.rows),
            "implementation": self.implementation,
            "moment": self.moment,
            "convention": self.convention,
        }


@frozen(repr=False)
class Memory:
    """Of a plan: `rows` and `total` are those of `weights`; `inference` and `training` tell peaks.

    >>> from vistoken.planning import plan
    >>> memory = plan("vit-b16-224", head=1000, batch=8).memory
    >>> memory.weights.total
    346270624
    >>> peak = memory.inference(implementation="transformers")
    >>> peak.total, peak.moment
    (409185184, 'MLP: activation')
    """

    plan: Plan

    def __repr__(self) -> str:
        return f"Memory(weights={self.weights.total:,})"

    @property
    def weights(self) -> Tally:
        """Bytes of the weights by part."""
        return Tally(tuple(_weights(self.plan)), WEIGHTS)

    @property
    def rows(self) -> tuple[tuple[str, int], ...]:
        return self.weights.rows

    @property
    def total(self) -> int:
        return self.weights.total

    @property
    def convention(self) -> str:
        return WEIGHTS

    def as_dict(self) -> dict[str, Any]:
        """Plain values of the weights for JSON."""
        return self.weights.as_dict()

    def inference(self, implementation: str = "vistoken", attention: str | None = None, autocast: bool = False) -> Peak:
        """The peak of a forward pass without gradients, bytes.

        Args:
            implementation: "vistoken", our encoder with bytes in; or "transformers", the family's model there.
            attention: "fused", or "eager", which writes all scores out (our engine "reference"); the plan's if None.
            autocast: matrices are multiplied in bfloat16, weights stay float32 (transformers alone).

        Raises `UsageError` for an unknown word, and where the implementation's memory has not been measured.
        """
        code = _implementation(self.plan, implementation)
        if autocast and (implementation == "vistoken" or self.plan.dtype != "float32"):
            raise UsageError("autocast is for float32 weights in transformers: plan with dtype='bfloat16' instead")
        return _peak(implementation, code.moments(_pass(self.plan, attention, autocast)))

    def training(
        self,
        implementation: str = "transformers",
        attention: str | None = None,
        autocast: bool = False,
        checkpointing: bool = False,
    ) -> Peak:
        """The peak of training steps with AdamW from the second on, bytes: all weights learn, gradients are dropped.

        Args:
            implementation: "transformers".
            attention: as in `inference`.
            autocast: as in `inference`.
            checkpointing: every block keeps its input alone, and is computed again on the way back.

        Raises `UsageError` as `inference` does.
        """
        from vistoken.planning.inference import BatchedTower
        from vistoken.planning.training import training

        code = _implementation(self.plan, implementation)
        if not isinstance(code, BatchedTower) or self.plan.dtype in WEIGHT_ONLY:
            known = ", ".join(name for name, each in towers().items() if isinstance(each, BatchedTower))
            raise UsageError(f"the memory of training is known of transformers' {known} in float dtypes alone")
        if autocast and self.plan.dtype != "float32":
            raise UsageError("autocast is for float32 weights: plan with dtype='float32', or without autocast")
        return _peak(implementation, training(code, _pass(self.plan, attention, autocast), checkpointing))


def allowance(peak: Peak) -> Tally:
    """What a GPU takes beyond live tensors, bytes; stated by rule, not measured by vistoken.

    Context: 512 MiB are assumed for a CUDA context with torch's kernels; it varies with card and driver. Workspace:
    32 MiB, what torch gives cuBLAS on Hopper (`aten/src/ATen/cuda/CUDABlas.cpp`, `parseChosenWorkspaceSize`), 8 MiB
    on older cards. Segments: torch asks for blocks above 1 MiB in steps of 2 MiB or 20 MiB
    (`c10/cuda/CUDACachingAllocator.cpp`, `kRoundLarge`, `kLargeBuffer`), so each row of the peak may waste 20 MiB.
    """
    rows = (
        ("CUDA context, assumed", 512 * MIB),
        ("cuBLAS workspace", 32 * MIB),
        ("allocator: unused ends of segments, at most", 20 * MIB * len(peak.rows)),
    )
    return Tally(rows, "an allowance on top of live tensors, by rule: not measured")


# ---------------------------------------------------------------- weights


def _weights(plan: Plan) -> Iterator[tuple[str, int]]:
    """By part; weight-only dtypes pack the matrices of the blocks alone."""
    width, packed = _width(plan.dtype), 0
    if plan.dtype in WEIGHT_ONLY:
        packed = _packed(plan.encoder, WEIGHT_ONLY[plan.dtype])
    for name, params in plan.params.rows:
        yield name, width * params + packed * (name == "blocks")


def _packed(spec: EncoderSpec, bits: int) -> int:
    """How many bytes the blocks take more (less, that is) than in bfloat16.

    int8: one scale a row of a matrix; int4: a scale and a zero for every 128 numbers of a row; each 2 bytes.
    Source: torchao, `quantization/quant_api.py`, `Int8WeightOnlyConfig` and `Int4WeightOnlyConfig`.
    """
    saved = 0
    for into, out in _matrices(spec):
        shared = 2 * out if bits == 8 else 4 * out * -(-into // GROUP)
        saved += into * out * bits // 8 + shared - 2 * into * out
    return spec.depth * saved


def _matrices(spec: EncoderSpec) -> tuple[tuple[int, int], ...]:
    """Numbers that go in and come out of each matrix of a block."""
    from vistoken.spec import GatedMlp

    dim, hidden, ways = spec.dim, spec.mlp.hidden, 2 if isinstance(spec.mlp, GatedMlp) else 1
    return (dim, dim + 2 * spec.kv_dim), (dim, dim), (dim, ways * hidden), (hidden, dim)


def _width(dtype: str) -> int:
    """Bytes of a number outside of packed matrices."""
    return DTYPES["bfloat16" if dtype in WEIGHT_ONLY else dtype]


# ---------------------------------------------------------------- peaks


def towers() -> Mapping[str, BatchedTower | PackedTower]:
    """Families whose code in transformers 5.23.0 was followed, and held against a count of live storages."""
    from vistoken.planning.inference import BatchedTower, PackedTower

    return {
        "ViT": BatchedTower(),
        "CLIP": BatchedTower(places=True),
        "DINOv2": BatchedTower(precise=False),
        "SigLIP": BatchedTower(places=True),
        "Qwen2.5-VL": PackedTower(),
    }


def _implementation(plan: Plan, name: str) -> BatchedTower | PackedTower | OwnEncoder:
    if name not in IMPLEMENTATIONS:
        known = ", ".join(IMPLEMENTATIONS)
        raise UsageError(
            f"implementation {shown(name)} is unknown: known are {known}.{did_you_mean(name, IMPLEMENTATIONS)}"
        )
    if plan.encoder.stem or any(step.name == "token merging" for step in plan.operations):
        raise UsageError(
            "the memory of convolutions in front, and of token merging, has not been measured: only weights"
        )
    from vistoken.planning.inference import BatchedTower, OwnEncoder

    if name == "vistoken":
        return OwnEncoder()
    measured = towers()
    code = measured.get(plan.family or "")
    # DINOv2 with registers is read by the same family, and is a class of its own there.
    other = isinstance(code, BatchedTower) and plan.encoder.prefix_tokens > 1
    if code is None or other:
        raise UsageError(
            f"the memory of {plan.model} in transformers has not been measured, only of {', '.join(measured)}: "
            "plan with implementation='vistoken'"
        )
    return code


def engine(attention: str) -> Engine:
    """The engine of this name. Raises `UsageError` for an unknown one."""
    engines: tuple[Engine, ...] = get_args(Engine)
    found = next((known for known in engines if known == attention), None)
    if found is None:
        known, hint = ", ".join(engines), did_you_mean(attention, engines)
        raise UsageError(f"attention {shown(attention)} is unknown: known are {known}.{hint}")
    return found


def _pass(plan: Plan, attention: str | None, autocast: bool) -> Pass:
    from vistoken.planning.living import Pass
    from vistoken.spec import AttentionPool

    if (views := len(plan.views) * plan.batch) > MAX_PASS:
        raise UsageError(f"{views:,} views at once: the peak of memory is planned for up to {MAX_PASS:,}")
    which = plan.attention if attention is None else engine(attention)
    spec, head = plan.encoder, dict(plan.params.rows).get("pool and head", 0)
    if isinstance(spec.pool, AttentionPool):  # torch's attention takes queries, keys and values out of one matrix anew
        head -= 3 * spec.dim**2
    grids, sizes = (tuple(getattr(view, what) for view in plan.views) * plan.batch for what in ("grid", "size"))
    return Pass(spec, grids, sizes, plan.memory.total, _width(plan.dtype), which, autocast, head)


def _peak(implementation: str, moments: Iterator[Moment]) -> Peak:
    from vistoken.planning.living import largest

    found = largest(moments)
    return Peak(implementation, found.name, found.rows)
