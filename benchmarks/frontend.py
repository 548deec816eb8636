"""The patch step and the whole front end beside transformers' ViT embeddings, in images a CPU second, one thread.

    python benchmarks/frontend.py [rounds]

224x224 pictures, 16-pixel patches, dim 768, float32, random weights: the same on both sides, and the results are
compared before anything is timed. Then the projection's share of a whole ViT-B/16.
"""

import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from machine import heading, interleaved, ratio
from transformers import ViTConfig
from transformers.models.vit.modeling_vit import ViTEmbeddings

from vistoken import registry
from vistoken.encoding import PatchEmbed, VisionEncoder, VisionFrontEnd, pack
from vistoken.encoding.frontend import seed_parameters
from vistoken.geometry import Patch
from vistoken.planning import plan

BATCHES = (1, 8, 64)


def cpu_seconds(step: Callable[[], object], repeat: int) -> Callable[[], float]:
    def run() -> float:
        began = time.process_time()
        for _ in range(repeat):
            step()
        return (time.process_time() - began) / repeat

    return run


def library() -> ViTEmbeddings:
    module = ViTEmbeddings(ViTConfig()).eval()
    seed_parameters(module, 0)
    return module


def patch_cases(pixels: torch.Tensor, repeat: int) -> dict[str, Callable[[], float]]:
    theirs = library().patch_embeddings
    ours = {method: PatchEmbed(Patch.square(16), 768, method=method) for method in ("linear", "conv")}
    for module in ours.values():
        module.load_state_dict({"weight": theirs.projection.weight, "bias": theirs.projection.bias})
        torch.testing.assert_close(module(pixels), theirs(pixels), rtol=0, atol=1e-5)
    cases = {f"PatchEmbed, {name}": cpu_seconds(lambda m=module: m(pixels), repeat) for name, module in ours.items()}
    return cases | {"transformers": cpu_seconds(lambda: theirs(pixels), repeat)}


def front_end_cases(pixels: torch.Tensor, repeat: int) -> dict[str, Callable[[], float]]:
    theirs = library()
    cases = {}
    for method in ("linear", "conv"):
        ours = VisionFrontEnd(position="learned", method=method)
        projection = theirs.patch_embeddings.projection
        ours.embed.patch.load_state_dict({"weight": projection.weight, "bias": projection.bias})
        ours.embed.prefix["cls"].data = (theirs.cls_token + theirs.position_embeddings[:, :1])[0].detach()
        ours.embed.position.table.data = theirs.position_embeddings[0, 1:].detach()
        torch.testing.assert_close(ours(pixels), theirs(pixels), rtol=0, atol=1e-5)
        cases[f"VisionFrontEnd, {method}"] = cpu_seconds(lambda module=ours: module(pixels), repeat)
    return cases | {"transformers": cpu_seconds(lambda: theirs(pixels), repeat)}


def report(title: str, batch: int, seconds: dict[str, list[float]]) -> None:
    for name, values in seconds.items():
        faster = ratio(seconds["transformers"], values)
        print(f"| {title} | {batch} | {name} | {faster:.2f} | {batch / median(values):,.0f} |")


def share_of_the_projection(rounds: int) -> None:
    """The patch step against the whole ViT-B/16, both ours, on one picture."""
    module = VisionEncoder(registry.describe("vit-b16-224").encoder).eval()
    seed_parameters(module, 0)
    packed = pack([torch.randn(3, 224, 224)], Patch.square(16), prefix_tokens=1)
    cases = {
        "projection": cpu_seconds(lambda: module.embed.patch.project(packed.patches), 5),
        "front end": cpu_seconds(lambda: module.embed(packed), 5),
        "whole": cpu_seconds(lambda: module(packed), 1),
    }
    seconds = interleaved(cases, rounds)
    macs = dict(plan("vit-b16-224").macs.rows)
    milliseconds = {name: 1e3 * median(values) for name, values in seconds.items()}
    print("\nOf a whole ViT-B/16 at 224, one picture:")
    for name in ("projection", "front end"):
        print(f"- {name}: {ratio(seconds[name], seconds['whole']):.2%} ({milliseconds[name]:.2f} ms of CPU)")
    share = macs["patch embedding"] / sum(macs.values())
    print(f"- whole: {milliseconds['whole']:.0f} ms; the projection has {share:.2%} of the multiply-adds")


@torch.inference_mode()
def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.set_num_threads(1)
    print(heading("Patch step and front end, one thread, float32", "vistoken", "torch", "transformers"))
    print("| what | batch | implementation | times transformers' speed | images / CPU second |\n|---|---|---|---|---|")
    for batch in BATCHES:
        pixels, repeat = torch.randn(batch, 3, 224, 224), max(1, 16 // batch)
        report("patch step", batch, interleaved(patch_cases(pixels, repeat), rounds))
        report("front end", batch, interleaved(front_end_cases(pixels, repeat), rounds))
    share_of_the_projection(max(5, rounds // 3))
    print(f"\n{rounds} rounds, interleaved, after one that is not counted.")


if __name__ == "__main__":
    main()
