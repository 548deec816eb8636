"""What a command line of `vistoken plan` asks for: parsed once, read by every form of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vistoken.cli.plan_devices import found
from vistoken.cli.shared import Failures, parse_input, parse_settings
from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen

if TYPE_CHECKING:
    from vistoken.geometry import Size
    from vistoken.planning import Plan
    from vistoken.planning.hardware import Device
    from vistoken.spec import EncoderSpec

F = TypeVar("F", bound=Callable[..., Any])

BARE = "bare geometry"
convention_option = click.option(
    "--convention", default="contractions", show_default=True, metavar="NAME",
    help="What counts as a multiply-add: contractions, or timm, whose tables add 5 for every element of a norm.",
)  # fmt: skip


def geometry_options(command: F) -> F:
    """--patch, --dim, --depth, --heads and --mlp."""
    for option in (
        click.option("--mlp", type=int, help="Bare geometry: hidden size of the MLP.  [default: 4 x dim]"),
        click.option("--heads", type=int, help="Bare geometry: attention heads."),
        click.option("--depth", type=int, help="Bare geometry: number of blocks."),
        click.option("--dim", type=int, help="Bare geometry: width of the tokens."),
        click.option("--patch", metavar="N|WxH", help="Bare geometry: a patch's side, or width x height."),
    ):
        command = option(command)
    return command


@frozen
class Geometry:
    """A plain ViT with class token, as the options describe it; `patch` is text."""

    patch: str
    dim: int
    depth: int
    heads: int
    mlp: int | None

    def encoder(self, size: Size | None) -> EncoderSpec:
        """The encoder whose position table is made for `size`."""
        from vistoken.geometry import Patch, Size
        from vistoken.planning import bare_encoder

        if size is None:
            raise UsageError("bare geometry needs a size, for example: vistoken plan 224x224 --patch 16 ...")
        text = self.patch
        if text.strip("0123456789xX"):
            raise UsageError(
                f"--patch {text}: write the side of a square patch, or WIDTHxHEIGHT, for example 16 or 32x16"
            )
        sides = Size.parse(text if "x" in text.lower() else f"{text}x{text}")
        cell = Patch(height=sides.height, width=sides.width)
        return bare_encoder(patch=cell, dim=self.dim, depth=self.depth, heads=self.heads, table=size, mlp=self.mlp)


@frozen
class Swept:
    """The text of a sweep, and the geometry that stays the same in it."""

    text: str
    geometry: Mapping[str, Any]


@frozen
class Asked:
    """Models, or bare `geometry`, at the sizes of `sources`; how they are fed, and where they shall run.

    `frames`, `duration` and `fps` are of a video. `failures` collects what could not be used.
    """

    sources: tuple[str, ...]
    models: tuple[str, ...]
    geometry: Geometry | None
    sweep: Swept | None
    input: Size | None
    frames: int | None
    duration: float | None
    fps: float | None
    settings: Mapping[str, Any]
    revision: str | None
    as_json: bool
    batch: int
    dtype: str
    head: int
    merge_tokens: int
    convention: str
    llm: str | None
    devices: tuple[Device, ...]
    mode: str
    failures: Failures

    @classmethod
    def parse(
        cls, *, models: tuple[str, ...], input_size: str | None, settings: Sequence[str], devices: Sequence[str],
        mode: str, patch: str | None, dim: int | None, depth: int | None, heads: int | None, mlp: int | None,
        sweep: str | None, **others: Any,
    ) -> Asked:  # fmt: skip
        """From the values of the options. Raises `UsageError` for what cannot be meant."""
        given: dict[str, Any] = {"patch": patch, "dim": dim, "depth": depth, "heads": heads}
        swept = None if sweep is None else Swept(sweep, {**given, "mlp": mlp})
        geometry = None if swept and not models else _geometry(models, given, mlp)
        if others["llm"] and not models:
            raise UsageError("--llm needs -m MODEL: bare geometry has no prompt")
        return cls(
            models=models, geometry=geometry, sweep=swept, input=parse_input(input_size),
            settings=parse_settings(settings), devices=found(devices, mode), mode=mode, failures=Failures(), **others,
        )  # fmt: skip

    def sizes(self) -> dict[Size | None, list[str]]:
        """Each size once, with the sources that have it; None, the model's own size, where there is no source."""
        if not self.sources:
            return {None: []}
        sizes: dict[Size | None, list[str]] = {}
        for source in self.failures.expand(self.sources):
            try:
                sizes.setdefault(source.size, []).append(source.name)
            except InputError as error:
                self.failures.add(error, source.name)
        return sizes

    def plan(self, model: str | None, size: Size | None) -> Plan:
        """The plan of a model, or of the bare geometry where `model` is None."""
        from vistoken.planning import plan

        assert (model is None) == (self.geometry is not None)
        which = self.geometry.encoder(self.input or size) if self.geometry else model or ""
        width, height = (None, None) if size is None else (size.width, size.height)
        return plan(which, width=width, height=height, **self.common())

    def common(self) -> dict[str, Any]:
        """Arguments of `plan` that are the same for every model and size."""
        names = (
            "input",
            "frames",
            "duration",
            "fps",
            "batch",
            "dtype",
            "head",
            "merge_tokens",
            "convention",
            "revision",
        )
        return {**{name: getattr(self, name) for name in names}, **self.settings}

    def each(self) -> Iterator[tuple[str | None, str, Size | None, list[str]]]:
        """Every size with every model: the model (None for bare geometry), its label, the size, its sources."""
        for size, names in self.sizes().items():
            if self.geometry is not None:
                yield None, BARE, size, names
            for model in self.models:
                yield model, model, size, names

    def refuse(self, option: str, **values: object) -> None:
        """Raise `UsageError` for values of options that have no meaning beside `option`."""
        for name, value in values.items():
            if value:
                raise UsageError(f"{option} has no use for --{name.replace('_', '-')}: leave it out")


def _geometry(models: Sequence[str], given: Mapping[str, Any], mlp: int | None) -> Geometry | None:
    missing = [f"--{name}" for name, value in given.items() if value is None]
    if models and (len(missing) < len(given) or mlp is not None):
        raise UsageError("give -m MODEL or bare geometry (--patch, --dim, --depth, --heads, --mlp), not both")
    if models:
        return None
    if missing:
        what = "give -m MODEL, or bare geometry: --patch, --dim, --depth and --heads"
        raise UsageError(what if len(missing) == len(given) else f"bare geometry lacks {' and '.join(missing)}")
    return Geometry(mlp=mlp, **given)
