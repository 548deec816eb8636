"""What a family file says: published models, a reader of configs, weight names, and examples.

A family file of `vistoken.families`, or of a package that registers in the entry point group `vistoken.families`,
holds one `FAMILY = Family(...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.geometry import Grid, Patch, Size
from vistoken.model_spec import Crowd, Label, PixelSpec, VideoSpec

if TYPE_CHECKING:
    from vistoken.paging import PageSpec
    from vistoken.prompts.layout import Layout
    from vistoken.spec import Activation, EncoderSpec
    from vistoken.views.rule import ViewRule
    from vistoken.weight_names import Seeded, WeightNames

# The library and version that rules and values were read in and compared with.
REFERENCE = "transformers 5.23.0"
# How the settings of a built-in model are known.
SEEN = Label("verified", "the published config.json and preprocessor_config.json")
SIBLING = Label("inferred", "the published config.json; the preprocessor's values are those of the series")
SCRIPT = Label("documented", "the script that converted the published files, in transformers")
QUOTED = Label("documented", "the published files as public surveys quote them")
RECALLED = Label("assumed", "values as remembered; no copy of the published files was seen")
DEFAULTS = Label("assumed", f"defaults of the classes of {REFERENCE}; no copy of the published files was seen")


@dataclass(frozen=True, slots=True)
class Published:
    """One model that is built in: what its files say, and how that is known.

    `names[0]` is the name by which it is listed: the hub id where it has one; the others are aliases. `series` is an
    alias that several sizes share: enough to count, not to plan. The mappings are the values that matter of
    `config.json`, `preprocessor_config.json`, `processor_config.json` and `video_preprocessor_config.json`. `notes`
    are shown with every count.
    """

    names: tuple[str, ...]
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    settings: Label
    series: str = ""
    processor: Mapping[str, Any] = field(default_factory=dict)
    video: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.names[0]


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one model, as far as they are there.

    `config` is `config.json`; `image` the image processor's values (`preprocessor_config.json`, or nested in
    `processor_config.json`), `processor` those of the processor itself, empty where there is no such file, and `video`
    the video processor's (`video_preprocessor_config.json`). `built_in` marks values that
    stand in a family file, which may be those for counting alone.
    """

    config: Config
    image: Config | None
    processor: Config
    video: Config | None
    built_in: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a family's reader makes of the files; the registry adds name, trust and origins. See `ModelSpec`.

    `video` is called when somebody asks how videos are read, since most counts are of pictures; `encoder` may be such a
    function too, and then `prefix` tells its prefix tokens. It returns None where the values at hand describe none (a
    built-in name of which only the settings for counting are known). `notes` are shown with every count, after those of
    the built-in model. `rule_trust` says how the view rule is known where it is not the family's own.
    """

    encoder: EncoderSpec | Callable[[], EncoderSpec | None] | None
    rule: ViewRule | None
    pixels: PixelSpec | None
    prompt: Layout | None = None
    video: Callable[[], VideoSpec | None] | None = None
    prefix: int = 0
    computes: bool = True
    crowds: tuple[Crowd, ...] = ()
    pages: PageSpec | None = None
    notes: tuple[str, ...] = ()
    rule_trust: Label | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A size and the counts that it must give, with the source of these numbers.

    `patches` is None where nobody outside knows. `markers` are counted within `tokens`. `arguments` are further
    arguments of `count`: settings, `frames`, `images_in_prompt`.
    """

    model: str
    width: int
    height: int
    patches: int | None
    tokens: int
    source: str
    markers: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a family is compared with: classes of transformers, by name, and how to read what they return.

    `processor` is given an image processor of class `image` and a tokenizer whose special tokens are `tokens`
    (attribute -> string). `sees` and `sees_video` say how the views are read from the output of the image and of the
    video processor, class `video`: keys of `vistoken.judge.readers.READERS`; where they are empty, the output does not
    tell, and the text alone is compared. `text` tells whether the processor expands the picture's placeholder, so that
    the whole string can be compared; `placeholder` is the text in which a processor of the older kind, without a method
    for that, expands it. `torchvision` marks classes that exist only where torchvision is installed.

    `settings` are two sets or more to compare with besides the published values; `thresholds` sizes around which the
    rule changes its mind, as (width, height). `built` names settings that the processors take only when they are built,
    not when they are called. `call` is what the image processor needs besides at every call, `sampling` what the video
    processor needs to choose frames, and `harmless` what the video processor is built with, to stop work on pixels that
    changes no size.
    """

    processor: str
    image: str
    sees: str
    tokens: Mapping[str, str] = field(default_factory=dict)
    video: str = ""
    sees_video: str = ""
    text: bool = True
    placeholder: str = ""
    torchvision: bool = False
    settings: tuple[Mapping[str, Any], ...] = ()
    thresholds: tuple[tuple[int, int], ...] = ()
    built: tuple[str, ...] = ()
    call: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    harmless: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timm:
    """How timm names the networks of a family, and in what they differ from it.

    `architectures` maps timm's names to what the family's own `config.json` would hold, its image size left out;
    `adapt` is given the encoder that the family reads from that and timm's own configuration (`global_pool`,
    `num_classes`), and returns timm's network. See `vistoken.formats`.
    """

    architectures: Mapping[str, Mapping[str, Any]]
    adapt: Callable[[EncoderSpec, Config], EncoderSpec]


@dataclass(frozen=True, slots=True)
class Family:
    """Models that share a reader of configs, a name map of weights and a view rule.

    `model_types` are the values of `model_type` in `config.json` that this family reads. `settings` are the names of
    the values that a caller may set, under the model's own names. `rule` says how the view rule was checked,
    `reference` what the judge compares it with. `timm` is there where folders in timm's form are read too.
    """

    name: str
    model_types: tuple[str, ...]
    read: Callable[[Files], Reading]
    published: tuple[Published, ...]
    rule: Label
    settings: tuple[str, ...]
    weights: WeightNames | Seeded | Callable[[], WeightNames] | None = None
    examples: tuple[Example, ...] = ()
    reference: Reference | None = None
    timm: Timm | None = None

    def reads(self, word: str) -> bool:
        """Whether `word` is a `model_type`, or an `architecture` of timm, that this family reads from a folder."""
        return word in self.model_types or bool(self.timm and word in self.timm.architectures)

    def weight_names(self) -> WeightNames | Seeded | None:
        """How published tensors are named; families that mostly count give a function, so that it loads nothing.

        What timm has may also stand as the trunk of a model of open_clip.
        """
        names = self.weights() if callable(self.weights) else self.weights
        if self.timm is None or names is None:
            return names
        from vistoken.weight_names import WeightNames, in_open_clip  # counting does without it

        return in_open_clip(names) if isinstance(names, WeightNames) else names

    def names(self) -> Iterable[str]:
        """Every name by which a model of this family can be asked for."""
        for model in self.published:
            yield from model.names
            if model.series:
                yield model.series


# Hugging Face's words for activations. `gelu_new` and `gelu_pytorch_tanh` are one formula, so are `silu` and `swish`
# (transformers 5.23.0, `activations.py`).
ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "silu": "silu",
    "swish": "silu",
}


def heads_of(config: Config, width: str = "hidden_size", number: str = "num_attention_heads") -> tuple[int, int]:
    """The dim, which stands in `width`, and the `number` of heads, which must divide it."""
    dim, heads = config.integer(width, high=65_536), config.integer(number, high=1024)
    if dim % heads:
        raise config.error(number, heads, f"it must divide {config.path}{width}, which is {dim}")
    return dim, heads


def hidden_state(config: Config, field: str, layer: object, depth: int) -> int:
    """The number of a hidden state that `field` names: 0 to depth, or from the end."""
    if type(layer) is not int or not -depth - 1 <= layer <= depth:
        raise config.error(field, config.raw(field), f"it must name one hidden state from {-depth - 1} to {depth}")
    return layer


# Cells of a position table: 1024 x 1024. The largest published one has 10,240 rows.
MAX_TABLE = 2**20


def table_of(config: Config, patch: Patch) -> tuple[Grid, Size]:
    """The grid of the learned position table, which `image_size` and the patch give, and that size."""
    size = config.size("image_size")
    grid = patch.grid(size)
    if not 0 < grid.patches <= MAX_TABLE:
        raise config.error("image_size", str(size), f"it must hold from one to {MAX_TABLE:,} patches of {patch}")
    return grid, size
