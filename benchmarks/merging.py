"""Token merging on ViT-B/16 at 384: what it saves, and what it changes.

    python benchmarks/merging.py [rounds] [threads]

One picture of the examples at a time, float32, CPU seconds (wall with several threads), for several `merge_tokens`;
beside the planned multiply-adds. Change is 1 - cosine between the pooled vector with and without merging, and the mean
of the same over patches (each compared with the token that holds it). The weights are random, drawn as ViTs are
initialised, so the changes say that nothing breaks, not what it costs a trained model: its paper has that
(arXiv 2210.09461, table 1).
"""

import sys
from pathlib import Path
from statistics import median

import torch
from encoder import timed
from machine import heading, interleaved, ratio
from torch.nn import functional as F

from vistoken import plan, registry
from vistoken.encoding import Encoder, VisionEncoder
from vistoken.encoding.frontend import seed_parameters
from vistoken.encoding.passing import Asked

MERGES = (0, 8, 16, 24)
NAME = "vit-b16-384"
IMAGES = Path(__file__).parent.parent / "examples" / "images"


def change(ours: torch.Tensor, plain: torch.Tensor) -> float:
    return (1 - F.cosine_similarity(ours, plain, dim=-1)).mean().item()


@torch.inference_mode()
def main() -> None:
    numbers = list(map(int, sys.argv[1:]))
    rounds, threads = (numbers + [3, 1][len(numbers) :])[:2]
    torch.set_num_threads(threads)
    print(heading(f"Token merging, {NAME}, {threads} thread{'s' * (threads > 1)}", "vistoken", "torch"))
    described = registry.describe(NAME)
    module = VisionEncoder(described.encoder)
    seed_parameters(module, 0)
    encoder = Encoder(described, module)
    prepared = [encoder.prepare(str(path)) for path in sorted(IMAGES.glob("*.[jp][pn]g"))[:3]]
    print(f"{len(prepared)} pictures\n")

    def run(merge: int) -> list:
        asked = Asked.of(module, {"merge_tokens": merge})
        return [result for picture in prepared for result in encoder.run([picture], asked=asked)]

    plain = run(0)
    taken = interleaved({merge: timed(lambda merge=merge: run(merge), threads > 1) for merge in MERGES}, rounds)
    whole = plan(NAME).macs.total
    print("| merge_tokens | times faster | planned | seconds | tokens left | pooled changed | patches changed |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for merge in MERGES:
        results = run(merge)
        pooled = median(change(mine.pooled, other.pooled) for mine, other in zip(results, plain, strict=True))
        patches = median(change(mine.unmerged(), other.patches) for mine, other in zip(results, plain, strict=True))
        planned = whole / plan(NAME, merge_tokens=merge).macs.total
        print(f"| {merge} | {ratio(taken[0], taken[merge]):.2f} | {planned:.2f} | {median(taken[merge]):.2f} "
              f"| {len(results[0].patches)} of {len(plain[0].patches)} | {pooled:.1e} | {patches:.1e} |")  # fmt: skip
    print(f"\n{rounds} rounds, interleaved, after one that is not counted; {'wall' if threads > 1 else 'CPU'} seconds")


if __name__ == "__main__":
    main()
