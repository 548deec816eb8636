"""One pack of prepared pictures through the encoder, and taken apart again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import index
from typing import Literal, TypedDict

import torch
from torch import Tensor

from vistoken.encoding.arranging import arrange
from vistoken.encoding.model import Encoded, VisionEncoder, Wanted
from vistoken.encoding.output import ImageTokens, Layer, Scene
from vistoken.encoding.packing import Packed
from vistoken.encoding.prepared import Prepared
from vistoken.errors import UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size, offsets
from vistoken.packs import by_shape
from vistoken.views.rule import Tiling


class Wishes(TypedDict, total=False):
    """What a caller may ask of the encoder.

    what: any of "patches", "prefix", "pooled", "image_tokens"; by default all that the model has.
    layers: hidden states to keep: 0 enters the first block, i leaves block i, -2 the last but one.
    attention_maps: blocks, from 0, whose attention is kept: (heads, t, t) a view, quadratic in its tokens.
    attention_heads: heads, from 0, to which that is limited; all of them where none is named.
    normed_layers: put the hidden states through the encoder's last norm.
    merge_tokens: join up to so many tokens a frame to similar ones in every block (ToMe); 0 for none.
    """

    what: Sequence[str] | None
    layers: Sequence[int]
    attention_maps: Sequence[int]
    attention_heads: Sequence[int]
    normed_layers: bool
    merge_tokens: int


class Options(Wishes, total=False):
    """What a caller may say besides about pictures.

    input: a size (`"WIDTHxHEIGHT"`) that every picture is resized to, skipping the model's view rule.
    channels: where the channels of arrays stand, "first" or "last"; see `read_picture`.
    max_tokens: that go through the encoder at once; a picture with more goes alone.
    max_image_pixels: a picture with more is refused before it is decoded.
    """

    input: str | Size | None
    channels: Literal["first", "last"] | None
    max_tokens: int
    max_image_pixels: int


def check_options(given: Mapping[str, object], known: type[Wishes]) -> None:
    """Raise `UsageError` for a word that is none of the keys of `known`."""
    for word in given:
        if word not in known.__annotations__:
            words = ", ".join(known.__annotations__)
            raise UsageError(
                f"{word!r} is no option here: there are {words}.{did_you_mean(word, known.__annotations__)}"
            )


WHAT = ("patches", "prefix", "pooled", "image_tokens")


@frozen
class Asked:
    """What a caller wants of every picture: the words of `what`, and what the forward pass must keep for it."""

    what: frozenset[str]
    wanted: Wanted
    normed_layers: bool

    @classmethod
    def of(cls, module: VisionEncoder, wishes: Wishes) -> Asked:
        """Raises `UsageError` for a word or a number that means nothing for this encoder."""
        what, normed = wishes.get("what"), wishes.get("normed_layers", False)
        has = WHAT if module.connector else WHAT[:-1]
        words = list(has if what is None else what if isinstance(what, list | tuple | set | frozenset) else [what])
        for word in words:
            if word not in WHAT:
                raise UsageError(f"what is {word!r}: choose among {', '.join(WHAT)}.{did_you_mean(word, WHAT)}")
            if word not in has:
                raise UsageError("this model has no image tokens: no LLM stands behind it here; ask for patches")
        if what is not None and "pooled" in words and module.pooled_dim is None:
            raise UsageError("this model has no pooled vector of its own: load it with pool='mean' (--pool mean)")
        if normed and module.spec.final_norm == "none":
            raise UsageError("this encoder has no last norm to put layers through: leave normed_layers out")
        words_of_numbers = ("layers", "attention_maps", "attention_heads")
        layers, maps, heads = (_numbers(name, wishes.get(name)) for name in words_of_numbers)
        if heads and not maps:
            raise UsageError("attention_heads chooses among the heads of attention_maps: name blocks there")
        merge = wishes.get("merge_tokens", 0)
        wanted = Wanted(layers, maps, heads, "image_tokens" in words, "pooled" in words, merge)
        module.check(wanted)
        return cls(frozenset(words), wanted, normed)


def _numbers(name: str, given: object) -> tuple[int, ...]:
    """Whole numbers that a caller named: one, or several. Raises `UsageError` for anything else."""
    if given is None:
        return ()
    several = given if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]
    try:
        if any(isinstance(number, bool) for number in several):
            raise TypeError
        return tuple(map(index, several))
    except TypeError:
        raise UsageError(f"{name} is {shown(given)}: give whole numbers, for example {name}=[0, 2]") from None


def check_positive(name: str, given: object) -> None:
    """Raise `UsageError` unless it is a whole number of at least 1."""
    if type(given) is not int or given < 1:
        raise UsageError(f"{name} is {shown(given)}: it must be a whole number of at least 1")


@torch.no_grad()  # not inference mode, whose tensors nobody could train a probe on, or write to
def encode_pack(module: VisionEncoder, pictures: Sequence[Prepared], asked: Asked) -> list[ImageTokens]:
    """The tokens of some pictures that go through the encoder together, in their order."""
    parts = [(index, number) for index, picture in enumerate(pictures) for number in range(len(picture.views))]
    parts.sort(key=lambda part: by_shape(pictures[part[0]].views[part[1]].grid))
    packed = _pack(module, [pictures[index].patches[number] for index, number in parts],
                   [pictures[index].views[number].grid for index, number in parts])  # fmt: skip
    taken = Taken.apart(module, packed, module(packed, asked.wanted), asked)
    places = {part: place for place, part in enumerate(parts)}
    return [
        _result(module, picture, [taken[places[index, number]] for number in range(len(picture.views))], asked)
        for index, picture in enumerate(pictures)
    ]


def _pack(module: VisionEncoder, patches: Sequence[Tensor], grids: Sequence[Grid]) -> Packed:
    weight, spec = module.embed.patch.weight, module.spec
    values = spec.patch.values(spec.channels)
    if any(part.shape[1] == values for part in patches):  # beside videos a still picture repeats its one frame
        patches = [_repeated(part, values, spec.channels) for part in patches]
    if len({part.dtype == torch.uint8 for part in patches}) > 1:  # joined, a byte would pass for a normalised float
        raise UsageError("pictures in bytes and tensors that are normalised cannot share a pack: run them apart")
    joined = torch.cat(list(patches)).to(weight.device)
    return Packed(joined if joined.dtype == torch.uint8 else joined.to(weight.dtype), tuple(grids), spec.prefix_tokens)


def _repeated(patches: Tensor, values: int, channels: int) -> Tensor:
    """(n, C*h*w) -> (n, C*t*h*w): all frames of a patch alike."""
    frames = values // patches.shape[1]
    if frames == 1:
        return patches
    return patches.unflatten(1, (channels, 1, -1)).expand(-1, -1, frames, -1).flatten(1)


@frozen(eq=False)
class Taken:
    """What one view got out of a pack: tokens (t, D) and what else was asked for.

    Where tokens were joined, `holders` tells for each patch which of the view's tokens without prefix holds it.
    """

    tokens: Tensor
    holders: Tensor | None
    pooled: Tensor | None
    layers: dict[int, Tensor]
    maps: dict[int, tuple[Tensor, ...]]
    image: Tensor | None
    image_grid: Grid | None
    deepstack: tuple[Tensor, ...]

    @classmethod
    def apart(cls, module: VisionEncoder, packed: Packed, encoded: Encoded, asked: Asked) -> list[Taken]:
        """One for each view of the pack."""
        lengths, grids = packed.lengths, packed.grids
        tokens, holders = _tokens(packed, encoded)
        layers = {
            number: (module.norm(x) if asked.normed_layers else x).split(lengths)
            for number, x in encoded.layers.items()
        }
        first = offsets(grid.frames for grid in grids)  # the first frame of each view
        image_grids = [
            Grid(encoded.image_grids[start].rows, encoded.image_grids[start].cols, grid.frames)
            for start, grid in zip(first, grids, strict=False)
        ] if encoded.image_grids else []  # fmt: skip
        counts = [grid.patches for grid in image_grids]
        image = encoded.image.split(counts) if encoded.image is not None else ()
        deepstack = [x.split(counts) for x in encoded.deepstack]
        maps = {block: list(_by_view(packed, module, weights)) for block, weights in encoded.maps.items()}
        return [
            cls(
                tokens[place],
                holders[place],
                None if encoded.pooled is None else encoded.pooled[place],
                {number: split[place] for number, split in layers.items()},
                {block: split[place] for block, split in maps.items()},
                image[place] if image else None,
                image_grids[place] if image_grids else None,
                tuple(split[place] for split in deepstack),
            )
            for place in range(len(grids))
        ]


def _tokens(packed: Packed, encoded: Encoded) -> tuple[Sequence[Tensor], Sequence[Tensor | None]]:
    """The tokens of each view, and where some were joined, `Taken.holders`."""
    if encoded.merged is None:
        return encoded.tokens.split(packed.lengths), [None] * len(packed.grids)
    starts, prefix = encoded.merged.segments, packed.prefix_tokens
    tokens, holders, first = list[Tensor](), list[Tensor | None](), 0
    for grid, places in zip(packed.grids, encoded.merged.places.split(packed.lengths), strict=True):
        tokens.append(encoded.tokens[starts[first] : starts[first + grid.frames]])
        # Each frame of the view has a prefix of its own, which is not counted.
        passed = starts[first] + prefix * torch.arange(1, grid.frames + 1, device=places.device)[:, None]
        holders.append((places.unflatten(0, (grid.frames, -1))[:, prefix:] - passed).flatten())
        first += grid.frames
    return tokens, holders


def _by_view(packed: Packed, module: VisionEncoder, maps: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
    """The attention of each view's segments: frames, or windows of frames."""
    queue = iter(maps)
    for length in packed.lengths:
        taken = list[Tensor]()
        while sum(weights.shape[1] for weights in taken) < length:
            taken.append(next(queue))
        yield tuple(taken)


def _result(module: VisionEncoder, picture: Prepared, parts: Sequence[Taken], asked: Asked) -> ImageTokens:
    spec = module.spec
    grids = tuple(part.image_grid for part in parts if part.image_grid is not None)
    scene = Scene(picture.size, picture.views, picture.tiling, spec.connector, grids, picture.clip)
    views = [view.grid for view in picture.views]
    whole = _layer(module, [part.tokens for part in parts], views)
    pooled = [part.pooled for part in parts if part.pooled is not None]
    held = _counted_on([part.holders for part in parts if part.holders is not None])
    return ImageTokens(
        patches=whole.patches if "patches" in asked.what else None,
        prefix=whole.prefix if "prefix" in asked.what else {},
        pooled=None if not pooled else pooled[0].clone() if len(pooled) == 1 else torch.stack(pooled),
        scene=scene,
        source=picture.name,
        token_of_patch=held if "patches" in asked.what else None,
        attention=module.attention,
        image_tokens=_arranged(module, [part.image for part in parts if part.image is not None], scene),
        deepstack=tuple(torch.cat(tokens) for tokens in zip(*(part.deepstack for part in parts), strict=True)),
        layers={
            number: _layer(module, [part.layers[number] for part in parts], views) for number in asked.wanted.layers
        },
        attention_maps={
            block: tuple(weights for part in parts for weights in part.maps[block]) for block in asked.wanted.maps
        },
    )


def _counted_on(holders: Sequence[Tensor]) -> Tensor | None:
    """Numbers of tokens counted through all views of a picture; each view has tokens up to the largest number."""
    counted, start = list[Tensor](), 0
    for numbers in holders:
        counted.append(numbers + start)
        start += int(numbers.max()) + 1
    return torch.cat(counted) if counted else None


def _arranged(module: VisionEncoder, image: Sequence[Tensor], scene: Scene) -> Tensor | None:
    if not image or module.connector is None:
        return None
    arrangement, tiling = module.connector.connector.arrangement, scene.tiling or Tiling(scene.views[0].grid)
    return arrange(arrangement, image, scene.image_grids, tiling, scene.size, module.connector.newline)


def _layer(module: VisionEncoder, tokens: Sequence[Tensor], grids: Sequence[Grid]) -> Layer:
    """Patches and prefix tokens of all views of a picture, apart."""
    spec = module.spec
    frames = [
        part.unflatten(0, (grid.frames, -1)) for part, grid in zip(tokens, grids, strict=True)
    ]  # (frames, prefix + n, D)
    patches = torch.cat([part[:, spec.prefix_tokens :].flatten(0, 1) for part in frames])
    prefix = {
        key: torch.cat([part[:, place].flatten(0, 1) for part in frames]) for key, place in spec.prefix_places.items()
    }
    return Layer(patches, prefix)
