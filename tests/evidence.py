"""What the tests of parity found, for `docs/families.md`: `make families` collects it from a run of them."""

import json
import os

from twins import close

# Where a run writes its findings, one JSON object a line; nothing is written without it.
FILE = os.environ.get("VISTOKEN_EVIDENCE", "")
HUGGING_FACE = "transformers 5.23.0"


def agree(folder, what, got, wanted, size, *, form="transformers", against=HUGGING_FACE, tolerance=1e-4):
    """`got` equals `wanted` to DESIGN's tolerance; and it is noted how near they are.

    `what` is tokens, pooled or image tokens; `size` the picture's (width, height); `form` that of the weight file.
    """
    if FILE and wanted.numel() and got.shape == wanted.shape:
        from vistoken import registry

        worst = (got - wanted).abs().max().item() / max(1.0, wanted.abs().max().item())
        family = registry.find(folder).family.name
        line = {"family": family, "form": form, "against": against, "what": what, "size": size, "worst": worst}
        with open(FILE, "a") as file:
            file.write(json.dumps(line) + "\n")
    close(got, wanted, tolerance)
