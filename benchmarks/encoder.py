"""Whole encoders beside transformers and timm: random weights, float32, CPU seconds on one thread, or wall on two.

    python benchmarks/encoder.py [rounds] [threads] [case ...]

Cases: `vit` (ViT-B/16 at 224, batch 1 and 8), `so400m` (SigLIP SO400M/14 at 384, batch 1), `naflex256` and
`naflex1024` (64 pictures of mixed native size on SigLIP 2 NaFlex B/16, cut to 2 and 1 blocks, capped at so many
patches, none enlarged), `qwen` (Qwen2.5-VL's tower, cut to one block with windows and one without, four sizes).
The same weights on both sides where the peer is transformers, and its tokens are compared before anything is timed.
timm needs torchvision; without it its rows are left out. Goal: within 10 % of the best of them everywhere, and 1.3 and
2.2 times the padded peers on the mixed sizes. Ends with where our time goes.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import torch
import transformers as hf
from machine import heading, interleaved, ratio
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from vistoken import registry
from vistoken.encoding import Encoder, VisionEncoder, pack
from vistoken.encoding.frontend import seed_parameters

Case = Callable[[], object]


def timm_or_none():
    """timm, if it can be imported: torchvision's compiled part has no build for every torch, and is not needed here."""
    try:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms(Tensor a, Tensor b, float c) -> Tensor", "qnms(Tensor a, Tensor b, float c) -> Tensor"):
            library.define(operator)
        import timm
    except (ImportError, RuntimeError, AttributeError) as error:
        print(f"timm is left out: {error}\n")
        return None
    return timm


def saved(module) -> Encoder:
    """Our encoder with the weights of a module of transformers, by way of a folder in the published format."""
    with tempfile.TemporaryDirectory() as folder:
        module.save_pretrained(folder)
        return Encoder.from_pretrained(folder)


def seeded(module):
    seed_parameters(module.eval().requires_grad_(False), 0)
    return module


def agree(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    worst = (ours - theirs).abs().max().item()
    assert worst <= 1e-4 * max(1.0, theirs.abs().max().item()), worst


def vit(timm) -> dict[str, dict[str, Case]]:
    theirs = seeded(hf.ViTModel(hf.ViTConfig(), add_pooling_layer=False))
    ours = saved(theirs).module
    cases = {}
    for batch in (1, 8):
        x = torch.randn(batch, 3, 224, 224)
        packed = pack(list(x), ours.spec.patch, ours.spec.prefix_tokens)
        agree(ours(packed).tokens, theirs(x).last_hidden_state.flatten(0, 1))
        cases[f"ViT-B/16 at 224, batch {batch}"] = {
            "vistoken": lambda packed=packed: ours(packed),
            "transformers": lambda x=x: theirs(x),
        }
        if timm:
            other = seeded(timm.create_model("vit_base_patch16_224", num_classes=0))
            cases[f"ViT-B/16 at 224, batch {batch}"]["timm"] = lambda x=x, other=other: other.forward_features(x)
    return cases


def so400m(timm) -> dict[str, dict[str, Case]]:
    config = hf.SiglipVisionConfig(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, image_size=384,
                                   num_attention_heads=16, patch_size=14, vision_use_head=False)  # fmt: skip
    theirs, x = seeded(hf.SiglipVisionModel(config)), torch.randn(1, 3, 384, 384)
    ours = saved(theirs).module
    packed = pack(list(x), ours.spec.patch)
    agree(ours(packed).tokens, theirs(x).last_hidden_state[0])
    cases = {"vistoken": lambda: ours(packed), "transformers": lambda: theirs(x)}
    if timm:
        other = seeded(timm.create_model("vit_so400m_patch14_siglip_gap_384", num_classes=0))
        cases["timm"] = lambda: other.forward_features(x)
    return {"SO400M/14 at 384, batch 1": cases}


def mixed_grids(cap: int) -> list[tuple[int, int]]:
    """Rows and columns of 64 pictures: long edges of 128 to 1024 pixels, ten aspect ratios, shrunk to the cap."""
    generator = np.random.default_rng(0)
    grids = []
    for edge in np.exp(generator.uniform(np.log(128), np.log(1024), 64)):
        aspect = generator.choice([0.5, 0.5625, 0.6667, 0.75, 0.8, 1.0, 1.25, 1.3333, 1.5, 1.7778])
        height, width = (edge, edge * aspect) if aspect <= 1 else (edge / aspect, edge)
        scale = min(1.0, (cap / (height / 16 * width / 16)) ** 0.5)
        grids.append((max(1, int(height * scale / 16)), max(1, int(width * scale / 16))))
    return grids


def naflex(cap: int, depth: int, timm) -> dict[str, dict[str, Case]]:
    values = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": depth, "num_attention_heads": 12,
              "patch_size": 16, "num_patches": 256, "vision_use_head": False}  # fmt: skip
    theirs = seeded(hf.Siglip2VisionModel(hf.Siglip2VisionConfig(**values)))
    ours, grids = saved(theirs).module, mixed_grids(cap)
    images = [torch.randn(3, rows * 16, cols * 16) for rows, cols in grids]
    order = sorted(range(64), key=lambda index: (grids[index][0] * grids[index][1], grids[index]))
    packs = [pack([images[index] for index in order[start : start + 8]], ours.spec.patch) for start in range(0, 64, 8)]
    patches = [_channels_last(image) for image in images]

    def padded(members: list[int], length: int) -> object:
        values = torch.stack([F.pad(patches[i], (0, 0, 0, length - len(patches[i]))) for i in members])
        mask = torch.stack([(torch.arange(length) < len(patches[i])).int() for i in members])
        return theirs(values, mask, torch.tensor([grids[i] for i in members]))

    alone = padded([order[5]], len(patches[order[5]])).last_hidden_state[0]
    agree(ours(packs[0]).tokens.split(packs[0].lengths)[5], alone)
    computed = 64 * cap / sum(map(len, patches))
    print(f"cap {cap}: {sum(map(len, patches)):,} patches; padded to the cap {computed:.2f} are computed for each\n")
    cases = {
        "vistoken, packs of 8": lambda: [ours(packed) for packed in packs],
        "transformers, padded to the cap, batch 8": lambda: [
            padded(list(range(start, start + 8)), cap) for start in range(0, 64, 8)
        ],
        "transformers, sorted, padded to the batch": lambda: [
            padded(order[start : start + 8], max(len(patches[i]) for i in order[start : start + 8]))
            for start in range(0, 64, 8)
        ],
        "transformers, one picture a call": lambda: [padded([i], len(patches[i])) for i in range(64)],
    }
    if timm:
        other = seeded(timm.create_model("naflexvit_base_patch16_siglip", num_classes=0, depth=depth))
        cases["timm, one picture a call"] = lambda: [other.forward_features(image[None]) for image in images]
    return {f"NaFlex B/16, {depth} blocks, 64 mixed sizes, cap {cap}": cases}


def _channels_last(image: torch.Tensor) -> torch.Tensor:
    cells = image.unflatten(2, (-1, 16)).unflatten(1, (-1, 16))  # (3, rows, 16, cols, 16)
    return cells.permute(1, 3, 2, 4, 0).reshape(-1, 768)


def qwen(timm) -> dict[str, dict[str, Case]]:
    spec = replace(registry.describe("qwen2.5-vl-7b").encoder, depth=2)
    spec = replace(spec, windows=replace(spec.windows, full=(1,)))
    ours = seeded(VisionEncoder(spec))
    config = hf.Qwen2_5_VLConfig().vision_config
    config.hidden_size, config.depth, config.fullatt_block_indexes, config.intermediate_size = 1280, 2, [1], 3420
    config.out_hidden_size = 3584
    theirs = seeded(type(hf.AutoModel.from_config(config))(config))
    sizes = [(448, 672), (700, 980), (1036, 1036), (252, 1400)]
    images = [torch.randn(3, *size) for size in sizes]
    packed = pack(images, spec.patch)
    stacks = [_merge_order(image) for image in images]
    grids = torch.tensor([[1, height // 14, width // 14] for height, width in sizes])
    joined = torch.cat(stacks)
    return {"Qwen2.5-VL tower, 2 blocks, four sizes": {
        "vistoken, one pack": lambda: ours(packed),
        "vistoken, one picture a call": lambda: [ours(pack([image], spec.patch)) for image in images],
        "transformers, packed": lambda: theirs(joined, grids),
        "transformers, one picture a call": lambda: [
            theirs(stack, grid[None]) for stack, grid in zip(stacks, grids, strict=True)
        ],
    }}  # fmt: skip


def _merge_order(image: torch.Tensor) -> torch.Tensor:
    """Patches as the reference's processor cuts them: blocks of 2 x 2, the frame twice."""
    cells = image.unflatten(2, (-1, 2, 14)).unflatten(1, (-1, 2, 14))  # (3, R, 2, 14, C, 2, 14)
    cells = cells.permute(1, 4, 2, 5, 0, 3, 6)[:, :, :, :, :, None].expand(-1, -1, -1, -1, -1, 2, -1, -1)
    return cells.reshape(-1, 3 * 2 * 14 * 14)


def timed(case: Case, wall: bool) -> Callable[[], float]:
    def run() -> float:
        clock = time.perf_counter if wall else time.process_time
        began = clock()
        case()
        return clock() - began

    return run


def report(title: str, cases: dict[str, Case], rounds: int, wall: bool) -> None:
    taken = interleaved({name: timed(case, wall) for name, case in cases.items()}, rounds)
    ours = next(iter(cases))
    best = min((name for name in cases if not name.startswith("vistoken")), key=lambda name: median(taken[name]))
    print(f"{title}: {ratio(taken[best], taken[ours]):.2f} x the speed of the best other, {best}\n")
    print("| times faster | implementation | seconds, median |")
    print("|---:|---|---:|")
    for name, seconds in taken.items():
        print(f"| {ratio(seconds, taken[ours]):.2f} | {name} | {median(seconds):.3f} |")
    print()


def spent(case: Case) -> None:
    """Where the time of one case goes."""
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        case()
    events = sorted(trace.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    shares = [f"{event.key.removeprefix('aten::')} {event.self_cpu_time_total / total:.1%}" for event in events[:6]]
    print("where ours goes: " + ", ".join(shares) + "\n")


@torch.inference_mode()
def main() -> None:
    words = sys.argv[1:]
    numbers = [int(word) for word in words if word.isdigit()]
    rounds, threads = (numbers + [3, 1][len(numbers) :])[:2]
    torch.set_num_threads(threads)
    hf.logging.set_verbosity_error()
    print(heading(f"Encoders, float32, {threads} thread{'s' * (threads > 1)}", "vistoken", "torch", "transformers"))
    timm = timm_or_none()
    kinds = {"vit": vit, "so400m": so400m, "naflex256": lambda timm: naflex(256, 2, timm),
             "naflex1024": lambda timm: naflex(1024, 1, timm), "qwen": qwen}  # fmt: skip
    for name in [word for word in words if word in kinds] or kinds:
        for title, cases in kinds[name](timm).items():
            report(title, cases, rounds, wall=threads > 1)
            spent(next(iter(cases.values())))
    print(f"{rounds} rounds, interleaved, after one that is not counted; {'wall' if threads > 1 else 'CPU'} seconds")


if __name__ == "__main__":
    main()
