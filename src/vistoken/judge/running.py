"""One picture through a model of transformers: what enters its vision blocks, what leaves each, and what comes out.

Nothing here knows a family. The blocks are the list of modules that is as long as ours and ran, each once; what they
saw is taken with hooks, so that it does not matter whether the model hands out its hidden states.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn

from vistoken.errors import ModelError
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.spec import ClassPool, EncoderSpec, MeanPool

if TYPE_CHECKING:
    from PIL import Image

# What transformers raises where it has no such model or processor, or lacks a library that one needs.
_NONE = (ValueError, TypeError, KeyError, AttributeError, OSError, ImportError, RuntimeError)


@frozen(eq=False)
class Seen:
    """What the reference computed; None or empty where it has no such thing, or does not show it.

    `layers` is what enters the first block, then what leaves each; `last` the tower's own output.
    """

    layers: tuple[Tensor, ...] = ()
    last: Tensor | None = None
    pooled: Tensor | None = None
    image: Tensor | None = None
    deepstack: tuple[Tensor, ...] = ()


def load(folder: str) -> nn.Module:
    """The model of a folder, in float32, by the class that its config names. No code of the folder runs.

    Raises `ModelError` where transformers has none.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        shorten_llm(config)
        if hasattr(config, "mask_ratio"):  # of masked pre-training (MAE): every patch is to be seen
            config.mask_ratio = 0.0
        names = getattr(config, "architectures", None) or ()
        named = [getattr(transformers, name) for name in names if hasattr(transformers, name)]
        model: nn.Module = (named[0] if named else transformers.AutoModel).from_pretrained(
            folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True,
            **({} if named else {"trust_remote_code": False}),
        )  # fmt: skip
    except _NONE as error:
        raise ModelError(f"transformers {transformers.__version__} has no model for it: {_line(error)}") from None
    return model.eval()


def shorten_llm(config: Any) -> None:
    """Leave the LLM one block: it is not run, and its blocks are what takes the memory."""
    text = getattr(config, "text_config", None)
    depth = getattr(text, "num_hidden_layers", None)
    if text is None or not getattr(config, "vision_config", None) or not isinstance(depth, int) or depth < 2:
        return
    for name, value in list(vars(text).items()):
        if isinstance(value, list) and len(value) == depth:  # a value a block, such as layer_types
            setattr(text, name, value[:1])
    text.num_hidden_layers = 1


def prepare(folder: str, picture: Image.Image) -> Mapping[str, Tensor]:
    """What the reference's own processor makes of a picture, with Pillow. Raises `ModelError` where it has none."""
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(
            folder, backend="pil", trust_remote_code=False, local_files_only=True
        )
        return dict(processor(images=[picture], return_tensors="pt"))
    except _NONE as error:
        raise ModelError(
            f"transformers {transformers.__version__} has no image processor for it here: {_line(error)}"
        ) from None


@torch.inference_mode()
def run(model: nn.Module, inputs: Mapping[str, Tensor], spec: EncoderSpec) -> Seen:
    """The picture through the vision part of `model`. Raises `ModelError` where that cannot be run alone."""
    with watching(model, spec.depth) as watched:
        try:
            out = _call(model, inputs, spec)
        except _NONE as error:
            raise ModelError(f"{type(model).__name__} cannot be run on pictures alone: {_line(error)}") from None
    name, layers = watched.blocks(spec.dim)
    tower = watched.tower(name, layers, normed=spec.final_norm == "all") if layers else Returned()
    found, deepstack = getattr(out, "pooler_output", None), getattr(out, "deepstack_features", None)
    if spec.connector is not None:
        joined = tuple(_joined(part) for part in deepstack or ())
        return Seen(layers, tower.last, _pooled(spec, tower), None if found is None else _joined(found), joined)
    embedded = getattr(out, "image_embeds", None)
    return Seen(layers, tower.last, _pooled(spec, tower, embedded if embedded is not None else found))


def _pooled(spec: EncoderSpec, tower: Returned, returned: Tensor | None = None) -> Tensor | None:
    """What pools as ours does: ViT's tanh pooler, which stands where others return the class token, does not."""
    if isinstance(spec.pool, ClassPool) and spec.final_norm == "all":
        return None if tower.last is None else tower.last[:, spec.prefix_places["cls"]].mean(1)
    if isinstance(spec.pool, MeanPool) and not spec.pool.norm:  # what classifiers do, and models leave to them
        return None if tower.last is None else tower.last[:, spec.prefix_tokens :].mean(1)
    return tower.pooled if returned is None else returned


def _call(model: nn.Module, inputs: Mapping[str, Tensor], spec: EncoderSpec) -> Any:
    """`get_image_features` where there is one, else the model itself, with what it takes of the inputs."""
    holder = next((part for part in (*model.children(), model) if hasattr(part, "get_image_features")), model)
    function = getattr(holder, "get_image_features", model.forward)
    taken = inspect.signature(function).parameters
    given = {name: value for name, value in inputs.items() if name in taken}
    if "noise" in taken:
        given["noise"] = _in_order(given["pixel_values"], spec)
    return function(**given) if function != model.forward else model(**given)


def _in_order(pixels: Tensor, spec: EncoderSpec) -> Tensor:
    """The noise that keeps patches in raster order, where a model sorts them by it even if it masks none (MAE)."""
    grid = spec.patch.grid(Size(height=pixels.shape[2], width=pixels.shape[3]))
    return torch.arange(grid.patches, dtype=pixels.dtype).expand(len(pixels), -1)


def _joined(found: Any) -> Tensor:
    """Vectors (n, out), whether they come as one tensor or one a picture or tile."""
    return found.flatten(0, -2) if isinstance(found, Tensor) else torch.cat([part.flatten(0, -2) for part in found])


# ---------------------------------------------------------------- hooks


@frozen(eq=False)
class Returned:
    """What a module returned, taken before whoever called it writes something else there."""

    last: Tensor | None = None
    pooled: Tensor | None = None


@dataclass(eq=False, slots=True)
class Watched:
    """What went through the lists of blocks, and what the modules around them returned."""

    lists: dict[str, nn.ModuleList]
    entered: dict[str, list[Tensor]] = field(default_factory=dict)
    left: dict[str, list[Tensor]] = field(default_factory=dict)
    returned: dict[str, Returned] = field(default_factory=dict)

    def blocks(self, dim: int) -> tuple[str, tuple[Tensor, ...]]:
        """The name of the list whose blocks ran, each once on vectors of `dim`, with all states; empty if none did."""
        for name, blocks in self.lists.items():
            if len(self.left.get(name, ())) == len(blocks) and self.entered[name][0].shape[-1] == dim:
                return name, (self.entered[name][0], *self.left[name])
        return "", ()

    def tower(self, name: str, layers: Sequence[Tensor], normed: bool) -> Returned:
        """What the outermost module around the blocks returned that has a vector for each of their tokens.

        Where the tower is `normed` at its end, that is not what left the last block.
        """
        for around in sorted(self.returned, key=len):
            found = self.returned[around]
            if not stands_around(around, name) or found.last is None or found.last.shape[-1] != layers[-1].shape[-1]:
                continue
            if found.last.numel() == layers[-1].numel() and not (normed and found.last.equal(layers[-1])):
                return found
        return Returned()


def stands_around(outer: str, inner: str) -> bool:
    """Whether the module of the dotted name `outer` holds that of `inner`; the model itself has an empty name."""
    return not outer or inner.startswith(f"{outer}.")


@contextmanager
def watching(model: nn.Module, depth: int) -> Iterator[Watched]:
    """Hooks on every list of `depth` blocks, and on all that stands around one."""
    modules = dict(model.named_modules())
    lists = {name: m for name, m in modules.items() if isinstance(m, nn.ModuleList) and len(m) == depth}
    watched = Watched(lists)
    with ExitStack() as stack:

        def on(hook: Any) -> None:
            stack.callback(hook.remove)

        for name, blocks in lists.items():
            for block in blocks:
                on(block.register_forward_pre_hook(_enters(watched.entered.setdefault(name, [])), with_kwargs=True))
                on(block.register_forward_hook(_leaves(watched.left.setdefault(name, []))))
        for name, module in modules.items():
            if any(stands_around(name, inner) for inner in lists):
                on(module.register_forward_hook(_returns(watched.returned, name)))
        yield watched


def _enters(seen: list[Tensor]) -> Any:
    def hook(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        tokens = next(value for value in (*given, *named.values()) if isinstance(value, Tensor))
        seen.append(tokens.detach().clone())

    return hook


def _leaves(seen: list[Tensor]) -> Any:
    def hook(module: nn.Module, given: Any, returned: Any) -> None:
        seen.append((returned if isinstance(returned, Tensor) else returned[0]).detach().clone())

    return hook


def _returns(seen: dict[str, Returned], name: str) -> Any:
    def hook(module: nn.Module, given: Any, returned: Any) -> None:
        parts = [getattr(returned, part, None) for part in ("last_hidden_state", "pooler_output")]
        seen[name] = Returned(*(part if isinstance(part, Tensor) else None for part in parts))

    return hook


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
