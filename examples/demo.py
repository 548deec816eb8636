"""`make demo`: six real photographs become visual tokens. Offline, no weights needed; everything lands in ./demo."""

import contextlib
import io
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
OUT = ROOT / "demo"
IMAGES = "examples/images"


def vistoken(*arguments: str) -> None:
    """Show the command and run it in this process."""
    from vistoken.cli import run

    print(f"\n$ vistoken {' '.join(arguments)}", flush=True)
    hints = io.StringIO()
    with contextlib.redirect_stderr(hints):  # "one file left aside" at every step would distract
        code = run(list(arguments))
    if code:
        sys.exit(f"{hints.getvalue()}the demo stopped: exit code {code}")


def chapter(title: str) -> None:
    print(f"\n\n=== {title} ===", flush=True)


def main() -> None:
    began = time.monotonic()
    OUT.mkdir(exist_ok=True)
    chapter("count: how many tokens do these photographs become?")
    models = ("vit-b16-224", "siglip-so400m14-384", "siglip2-b16-naflex", "qwen2.5-vl-7b")
    vistoken("count", IMAGES, *(word for model in models for word in ("-m", model)))
    vistoken("count", f"{IMAGES}/coffee.png", "-m", "qwen2.5-vl-7b", "--explain")

    chapter("plan: what do four well-known backbones cost, and what did others publish?")
    print("\n$ python examples/compare_backbones.py", flush=True)
    subprocess.run([sys.executable, str(HERE / "compare_backbones.py")], check=True)
    vistoken("plan", "-m", "vit-b16-224", "--head", "1000")

    chapter("encode: make the tokens, at each photograph's own size, packed without padding")
    vistoken("encode", IMAGES, "-m", "vistoken/front-end", "-o", "demo/tokens.safetensors")
    print("\n$ python -m vistoken.encoding.frontend", flush=True)
    subprocess.run([sys.executable, "-m", "vistoken.encoding.frontend"], check=True)

    chapter("look: what does a model see?")
    vistoken("look", "--numbers")
    print()
    drawings = {
        "clip.png": ("rocket.jpg", "clip-l14-336"),
        "siglip.png": ("chelsea.png", "siglip-so400m14-384"),
        "naflex.png": ("grace_hopper.jpg", "siglip2-b16-naflex"),
        "qwen.png": ("coffee.png", "qwen2.5-vl-7b"),
        "front-end.png": ("rocket.jpg", "vistoken/front-end"),
    }
    for file, (photograph, model) in drawings.items():
        with contextlib.redirect_stdout(io.StringIO()):
            vistoken("look", f"{IMAGES}/{photograph}", "-m", model, "-o", f"demo/{file}")
        print(f"$ vistoken look {IMAGES}/{photograph} -m {model} -o demo/{file}")

    chapter("done")
    print(
        f"""
In {time.monotonic() - began:.0f} seconds, without a network and without weights. In the folder {OUT}:
  tokens.safetensors   patch tokens, class token and grid of each photograph
  clip.png             a centre crop: what CLIP never sees
  siglip.png           a stretch, and 6 rows and 6 columns that no patch reads
  naflex.png           any aspect ratio under a budget of 256 patches
  qwen.png             patches merged 2 x 2 into tokens of the LLM
  front-end.png        a picture at its own size, its positions and the norms of its tokens

CLIP, SigLIP and NaFlex are drawn without positions and norms, since those need published weights.
Next:
  source .venv/bin/activate
  vistoken count YOUR_PHOTO.jpg -m qwen2.5-vl-7b --explain
  vistoken models
  vistoken --help"""
    )


if __name__ == "__main__":
    main()
