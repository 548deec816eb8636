"""What comes out of the encoder for one picture; `vistoken.encoding.writing` puts it into files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

import numpy as np
import torch
from torch import Tensor

from vistoken.connector import Connector, SecondsPositions, TimedPositions
from vistoken.encoding.arranging import token_boxes
from vistoken.encoding.mrope import position_ids
from vistoken.errors import UsageError, shown
from vistoken.frozen import frozen
from vistoken.geometry import Box, Grid, Size, around
from vistoken.video import Clip
from vistoken.views import View
from vistoken.views.rule import Tiling


@frozen(eq=False)
class Layer:
    """A hidden state of one picture: its patches (n, dim), and its prefix tokens by name."""

    patches: Tensor
    prefix: Mapping[str, Tensor]


@frozen
class Scene:
    """How a picture was looked at, and how its image tokens come to their order.

    `tiling` is None where the caller's tensors went in as they are. `image_grids` are the grids that the image tokens
    of each view form, `clip` the frames of a video that were looked at.
    """

    size: Size
    views: tuple[View, ...]
    tiling: Tiling | None
    connector: Connector | None = None
    image_grids: tuple[Grid, ...] = ()
    clip: Clip | None = None

    def seconds(self, given: float | None) -> float:
        """Seconds between two frame groups: as given, or as the frames were chosen; of a picture it does not matter.

        The reference divides the frames of a group by those a second that were chosen: frames looked at / all frames *
        the video's own rate (transformers 5.23.0, `models/qwen2_5_vl/processing_qwen2_5_vl.py`).
        """
        if given is not None:
            if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < math.inf:
                raise UsageError(f"seconds is {shown(given)}: it must be a number of at least 0")
            return float(given)
        if all(grid.frames == 1 for grid in self.image_grids):
            return 1.0
        if self.connector and not isinstance(self.connector.positions, TimedPositions | SecondsPositions):
            return 1.0  # which number frame groups, not seconds
        if self.clip is None or self.clip.source.duration is None:
            raise UsageError("how far the frames lie apart is unknown: give fps with the video, or seconds here")
        return self.views[0].patch.frames * self.clip.source.duration / len(self.clip.indices)


@frozen(eq=False)
class ImageTokens:
    """The tokens of one picture, or of one video. What was not asked for is None or empty.

    Attributes:
        patches: (n, dim), the views one after another, each frame by frame in raster order; no prefix among them.
            Where tokens were merged there are fewer, in the order of the first patch that each holds.
        prefix: prefix tokens by name ("cls", "dist", "reg"), each (views * frames * count, dim).
        pooled: (pooled dim,), or (views, pooled dim) where there are several; None where the family has none.
        image_tokens: (n, out), what the LLM receives: after merger and projector, in the order of the prompt, learned
            newlines included.
        deepstack: (n, out) each, what the LLM adds to the same positions in its first layers (Qwen3-VL).
        layers: hidden states by the number asked for.
        attention_maps: of each block asked for (heads, t, t) a segment: a view, a frame or a window. The windows of a
            frame stand in raster order, and so do the patches of a segment, behind its prefix tokens.
        scene: how the picture was looked at.
        source: the picture's name.
        attention: the engine that ran.
        token_of_patch: with `merge_tokens`, for each patch of the grids the number of the token in `patches` that holds
            it; else None.
    """

    patches: Tensor | None
    prefix: Mapping[str, Tensor]
    pooled: Tensor | None
    scene: Scene
    source: str
    attention: str
    image_tokens: Tensor | None = None
    deepstack: tuple[Tensor, ...] = ()
    layers: Mapping[int, Layer] = field(default_factory=dict)
    attention_maps: Mapping[int, tuple[Tensor, ...]] = field(default_factory=dict)
    token_of_patch: Tensor | None = None

    @property
    def views(self) -> tuple[View, ...]:
        """What the encoder looked at."""
        return self.scene.views

    @property
    def grids(self) -> tuple[Grid, ...]:
        """The grid of patches of each view."""
        return tuple(view.grid for view in self.scene.views)

    @property
    def image_grids(self) -> tuple[Grid, ...]:
        """The grid of image tokens of each view, before views are put in order."""
        return self.scene.image_grids

    def boxes(self) -> Iterator[Box]:
        """The rectangle of each vector of `patches` in the upright source picture, in their order.

        Rectangles are in pixels of the source and may be fractional; what lies outside of it is padding. That of a
        merged token is drawn around all patches that it holds, which need not be neighbours: see `boxes_of`.
        """
        single = [box for view in self.scene.views for box in view.boxes()]
        if self.token_of_patch is None:
            yield from single
            return
        held: dict[int, list[Box]] = {}
        for token, box in zip(self.token_of_patch.tolist(), single, strict=True):
            held.setdefault(token, []).append(box)
        yield from (around(held[token]) for token in sorted(held))

    def patches_of(self, token: int) -> list[int]:
        """The patches that a token holds, counted through the grids of all views: one, unless tokens were merged."""
        held = self.token_of_patch
        if held is None:
            held = torch.arange(sum(grid.patches for grid in self.grids))
        patches: list[int] = (held == token).nonzero().flatten().tolist()
        if not patches:
            raise UsageError(f"token {shown(token)}: there are tokens 0 to {int(held.max())}")
        return patches

    def boxes_of(self, token: int) -> list[Box]:
        """The rectangles of the patches that a token holds, in the upright source picture."""
        single = [box for view in self.scene.views for box in view.boxes()]
        return [single[patch] for patch in self.patches_of(token)]

    def unmerged(self) -> Tensor:
        """A vector for each patch of the grids, (n, dim): merged tokens are copied to all patches that they hold."""
        if self.patches is None:
            raise UsageError("there are no patches here: ask for them with what=['patches']")
        return self.patches if self.token_of_patch is None else self.patches[self.token_of_patch]

    def token_boxes(self) -> Iterator[Box | None]:
        """The rectangle of each image token, in the order of `image_tokens`; None for a learned newline.

        Raises `UsageError` where there are no image tokens.
        """
        scene = self.scene
        if scene.connector is None or self.image_tokens is None:
            raise UsageError("there are no image tokens here: ask for them with what=['image_tokens']")
        tiling = scene.tiling or Tiling(scene.views[0].grid)
        return token_boxes(scene.connector, scene.views, scene.image_grids, tiling, scene.size)

    def position_ids(self, start: int | Sequence[int] = 0, seconds: float | None = None) -> Tensor:
        """Time, row and column of each image token in the LLM's sequence (M-RoPE): (3, n) whole numbers.

        Args:
            start: the position of the first image token in the prompt; of each frame group where its time stands in
                front of it as text (videos of Qwen3-VL).
            seconds: of a video, between two frame groups; by default as the frames were chosen.

        Raises `UsageError` where there are no image tokens, where the LLM counts positions in one dimension, and where
        it numbers the seconds of a video of which nobody knows them.
        """
        scene = self.scene
        if scene.connector is None or scene.connector.positions is None:
            raise UsageError("the LLM behind this model numbers its positions in one dimension: count from its start")
        if self.image_tokens is None:
            raise UsageError("there are no image tokens here: ask for them with what=['image_tokens']")
        return position_ids(scene.connector.positions, scene.image_grids, start, scene.seconds(seconds))

    def arrays(self) -> dict[str, Tensor]:
        """All tensors by name, with the grids as (views, 3) integers: frames, rows, columns."""
        whole = {"patches": self.patches, "pooled": self.pooled, "image_tokens": self.image_tokens}
        named = {name: tensor for name, tensor in whole.items() if tensor is not None}
        named |= {f"prefix.{name}": tokens for name, tokens in self.prefix.items()}
        if self.token_of_patch is not None:
            named["token_of_patch"] = self.token_of_patch
        named |= {f"deepstack.{index}": tokens for index, tokens in enumerate(self.deepstack)}
        for number, layer in self.layers.items():
            named[f"layers.{number}.patches"] = layer.patches
            named |= {f"layers.{number}.prefix.{name}": tokens for name, tokens in layer.prefix.items()}
        for block, maps in self.attention_maps.items():
            named |= {f"attention.{block}.{index}": weights for index, weights in enumerate(maps)}
        return {**named, "grids": torch.tensor([[grid.frames, grid.rows, grid.cols] for grid in self.grids])}

    def numpy(self) -> dict[str, np.ndarray]:
        """The same as numpy arrays; bfloat16, which numpy lacks, becomes float32."""
        return {name: to_numpy(tensor) for name, tensor in self.arrays().items()}


def to_numpy(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
