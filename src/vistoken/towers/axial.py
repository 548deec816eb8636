"""What the towers of Qwen2-VL and all its successors share: how heads are turned, and where the LLM stores the tower.

Source: transformers 5.23.0, `models/qwen2_vl/modeling_qwen2_vl.py`, `VisionRotaryEmbedding`.
"""

from __future__ import annotations

from typing import Any

from vistoken.configs import Config
from vistoken.family import REFERENCE, heads_of
from vistoken.spec import Rotary
from vistoken.weight_names import LLM_PARTS, Ignore

# The model itself, a model with an LLM of older and of newer files.
ROOTS = ("", "visual.", "model.visual.")
# The thinker of an Omni model alone, and with what speaks for it.
THINKER_ROOTS = ("", "visual.", "thinker.", "thinker.visual.")
# What stands beside the tower in the files of an Omni model.
OMNI_PARTS = (
    *LLM_PARTS,
    ("audio_tower.*", Ignore("what hears")),
    *((pattern, Ignore("what speaks")) for pattern in ("talker.*", "token2wav.*", "code2wav.*")),
)
# Seconds of a video in steps of time, in the config classes of both generations.
PER_SECOND = {"position_id_per_seconds": 25}
ROPE: dict[str, Any] = {"rope_type": "axial", "rope_theta": 10_000.0}


def axial(vision: Config) -> Rotary:
    """`rope_parameters` of a vision config; most files leave them out."""
    rope = vision.child("rope_parameters").with_defaults(ROPE, f"the vision towers of {REFERENCE}")
    rope.choice("rope_type", {"axial": None})
    return Rotary(rope.number("rope_theta", 1.001, 1e12))


def heads(vision: Config, width: str = "hidden_size") -> tuple[int, int]:
    """As `heads_of`, by the name that all these towers have for the number of heads."""
    return heads_of(vision, width, "num_heads")
