"""Token merging: between attention and MLP of every block, tokens that are alike become one (ToMe, arXiv 2210.09461).

The tokens of a frame are dealt alternately into two sets. Each of the first finds the most similar one of the second,
by the cosine of their keys, averaged over heads (section 3, "Token similarity"); the `by` most similar pairs become
one token each, the mean of all patches in it. Attention adds the logarithm of that number to a token's scores, so that
it counts as many times ("proportional attention"). Prefix tokens are left alone.

Two points on which the paper, whose models have neither, says nothing:
- Rotary: a token stands at the centre of its patches. Its angles are the mean of theirs, as angles are linear in the
  place; keys are compared as attention sees them, turned.
- Pooling reads a merged token once for each of its patches, which is the paper's weighting for means (its code does so
  for MAE, facebookresearch/ToMe, `tome/patch/mae.py`) and proportional attention for learned probes.

Shapes: T tokens of all frames, S segments of one length t, d head width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vistoken.encoding.attention import Engine, equal_runs
from vistoken.encoding.packing import Packed
from vistoken.encoding.routes import Merged, Route, turn_by
from vistoken.geometry import offsets
from vistoken.spec import EncoderSpec, joined_tokens


@dataclass(eq=False, slots=True)
class Merging(Route):
    """Up to `by` tokens a frame become part of others in each block.

    Attributes:
        by: how many.
        prefix: tokens in front of each frame, which stay.
        angles: (T, d/2) of the tokens as they now are, where heads are turned.
        sizes: (T,) how many tokens each of them holds.
        places: for each token that entered, where it now is.
        keys: (T, d) of the last attention, averaged over heads.
    """

    by: int
    prefix: int
    angles: Tensor | None
    sizes: Tensor
    places: Tensor
    keys: Tensor

    @classmethod
    def start(cls, spec: EncoderSpec, packed: Packed, angles: Tensor | None, by: int) -> Merging:
        segments, device = packed.segments, packed.patches.device
        turn = None if angles is None else turn_by(angles)
        sizes = torch.ones(segments[-1], device=device)
        places = torch.arange(segments[-1], device=device)
        return cls(None, segments, segments, (), turn, by, spec.prefix_tokens, angles, sizes, places, torch.empty(0))

    def attend(
        self, engine: Engine, q: Tensor, k: Tensor, v: Tensor, segments: tuple[int, ...], scale: float
    ) -> Tensor:
        self.keys = k.float().mean(1)
        return engine(q, k, v, segments, segments, scale, self.sizes.log())

    def join(self, x: Tensor) -> Tensor:
        places, segments = self._decide()
        if segments == self.frames:
            return x
        sizes = self.sizes.new_zeros(segments[-1]).index_add_(0, places, self.sizes)
        share = (self.sizes / sizes[places])[:, None]
        if self.angles is not None:
            self.angles = _sum(self.angles * share, places, segments[-1])
            self.turn = turn_by(self.angles)
        self.frames, self.sizes, self.places = segments, sizes, places[self.places]
        return _sum(x.float() * share, places, segments[-1]).to(x.dtype)

    def _decide(self) -> tuple[Tensor, tuple[int, ...]]:
        """For each token its new place, and where the segments then begin."""
        places, lengths, start = list[Tensor](), list[int](), 0
        for count, run, _ in equal_runs(self.frames, self.frames):
            keys = self.keys[run].unflatten(0, (count, -1))
            going = joined_tokens(keys.shape[1], self.prefix, self.by)
            left = keys.shape[1] - going
            first = torch.arange(start, start + count * left, left, device=keys.device)
            places.append((new_places(keys, going, self.prefix) + first[:, None]).flatten())
            lengths += [left] * count
            start += count * left
        return torch.cat(places), offsets(lengths)

    def leave(self, x: Tensor) -> Tensor:
        """Frame by frame, behind the prefix the tokens in the order of the first patch that each holds."""
        entered = torch.arange(len(self.places), device=x.device)
        first = entered.new_empty(len(x)).scatter_reduce_(0, self.places, entered, "amin", include_self=False)
        order = first.argsort()
        self.places = order.argsort()[self.places]
        return x[order]

    def keep(self, x: Tensor) -> Tensor:
        return self.spread(x)

    def spread(self, x: Tensor) -> Tensor:
        return x[self.places]

    def merged(self) -> Merged:
        return Merged(self.frames, self.places)


def choose_route(spec: EncoderSpec, packed: Packed, angles: Tensor | None, merge: int) -> Route:
    """Where every token stays what it is, or with `merge` above 0 up to so many of a frame are joined in each block."""
    return Merging.start(spec, packed, angles, merge) if merge else Route.of(spec, packed, angles)


def new_places(keys: Tensor, going: int, prefix: int) -> Tensor:
    """Where each token of a segment is once `going` of them have joined others: (S, t, d) keys -> (S, t) places.

    Prefix tokens come first, then what is left of the first set, then the second, each in order: as the paper's code
    (appendix D) puts them, and facebookresearch/ToMe where there are two prefix tokens. Of equals the first is taken.
    """
    segments, length, _ = keys.shape
    if not going:
        return torch.arange(length, device=keys.device).expand(segments, -1)
    keys = F.normalize(keys, dim=-1)
    scores = keys[:, ::2] @ keys[:, 1::2].mT
    scores[:, : (prefix + 1) // 2] = -torch.inf
    scores[:, :, : prefix // 2] = -torch.inf
    best, partner = scores.max(dim=-1)
    chosen = best.argsort(dim=-1, descending=True, stable=True)[:, :going]
    source, target = 2 * chosen, 2 * partner.gather(1, chosen) + 1
    stays = torch.ones(segments, length, dtype=torch.bool, device=keys.device).scatter_(1, source, False)
    patches = range(prefix, length)
    order = [*range(prefix), *(i for i in patches if i % 2 == 0), *(i for i in patches if i % 2)]
    places = torch.empty(segments, length, dtype=torch.long, device=keys.device)
    places[:, order] = stays[:, order].cumsum(1) - 1
    return places.scatter_(1, source, places.gather(1, target))


def _sum(values: Tensor, places: Tensor, count: int) -> Tensor:
    """(T, n) -> (count, n): all that come to one place, added."""
    return values.new_zeros(count, values.shape[1]).index_add_(0, places, values)
