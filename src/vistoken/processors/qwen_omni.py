"""The processors of Qwen2.5-Omni and Qwen3-Omni, which hand a budget of their own to the video processor.

Sources: transformers 5.23.0, `models/qwen2_5_omni/processing_qwen2_5_omni.py`,
`models/qwen3_omni_moe/processing_qwen3_omni_moe.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Files, Reading
from vistoken.frozen import frozen
from vistoken.processors.qwen2_vl import image_rule, video_rule, vision
from vistoken.prompts.plain import Merged

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec


@frozen
class Omni:
    """What differs between the generations.

    `thinker` is the `model_type` of a folder that holds the thinker alone; `patch` the default of the vision config's
    class. `processor` is the class whose attribute `videos_kwargs` holds the budget `least` to `most` for a frame,
    which wins over the video processor's own file. `encoder` reads the thinker's config; the flag is `Files.built_in`.
    """

    thinker: str
    vision: str
    patch: int
    processor: str
    least: int
    most: int
    image_token: str
    video_token: str
    template: str
    encoder: Callable[[Config, bool], EncoderSpec | None]

    def read(self, files: Files) -> Reading:
        """Patch and merge from the thinker's vision config; the budget of pictures from the preprocessor."""
        alone = files.config.raw("model_type") == self.thinker
        thinker = files.config if alone else files.config.child("thinker_config")
        patch, merge = vision(thinker.child("vision_config"), self.patch, self.vision)
        rule, pixels = image_rule(files.image, patch, merge.side)
        size = {"shortest_edge": self.least, "longest_edge": self.most}
        handed = files.processor.with_defaults({"size": size}, f"{self.processor} in {REFERENCE}")
        video = partial(video_rule, files.video, patch, merge, self.video_token, self.template, handed)
        encoder = partial(self.encoder, thinker, files.built_in)
        return Reading(encoder, rule, pixels, Merged(merge, self.image_token, template=self.template), video)
