"""From a name, a hub id or a folder to a `ModelSpec`.

Three roads lead there: what is built in, the files of a folder, and those of the hub. Families are found by
`vistoken.lookup`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from vistoken.configs import SETTING, Config, read_json
from vistoken.errors import (
    ConfigError,
    MissingExtra,
    ModelError,
    NotAtHand,
    SettingError,
    UsageError,
    did_you_mean,
    shown,
)
from vistoken.family import Family, Files, Published, Reading
from vistoken.files import model_file
from vistoken.geometry import Size
from vistoken.lookup import all_names, every
from vistoken.lookup import families as families
from vistoken.lookup import load as load
from vistoken.lookup import published as published
from vistoken.lookup import reader as reader
from vistoken.model_spec import Label, Later, ModelSpec, Trust

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec

T = TypeVar("T")

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """A model, its family, and the folder of its files (None for a built-in name: nothing was read from disk)."""

    spec: ModelSpec
    family: Family
    folder: str | None


def find(
    name: str | os.PathLike[str],
    *,
    settings: Mapping[str, Any] | None = None,
    revision: str | None = None,
    files: bool = False,
    cached: bool = False,
    series: bool = True,
) -> Found:
    """The model that `name` means: a folder, a built-in name or alias, or a hub id; in this order.

    `settings` override values of the preprocessor, under the model's own names. `files` demands the model's files,
    from the hub's cache or the hub; `cached` from the cache alone. `series` allows an alias that several sizes share.

    Raises `ModelError` for an unknown name (with close ones), `ConfigError` for wrong files, `UsageError` for an
    unknown setting, `MissingExtra` where a hub id needs huggingface_hub.
    """
    settings = dict(settings or {})
    name = os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"{name!r} is not a model: give a name, a hub id or a folder; `vistoken models` lists names")
    folder = os.path.expanduser(name)
    if os.path.isdir(folder):
        if revision is not None:
            raise UsageError(f"{name} is a folder, which has no revisions: leave out revision {revision!r}")
        return _from_folder(name, folder, settings)
    known = published(name)
    if known and revision is None and not files:
        if not series:
            _refuse_series(name, *known)
        spec = _built_in(*known, settings)
        if name.lower() == known[1].series.lower():
            spec = replace(spec, name=known[1].series)
        return Found(spec, known[0], None)
    hub_id = known[1].name if known else name
    if not _HUB_ID.fullmatch(hub_id) or os.path.isabs(folder) or name.startswith("."):
        raise _unknown(name, known)
    return _from_hub(hub_id, known, settings, revision, weights=files, cached=cached)


def describe(name: str | os.PathLike[str], *, settings: Mapping[str, Any] | None = None, revision: str | None = None,
             series: bool = True) -> ModelSpec:  # fmt: skip
    """The description of the model `name`; see `find`.

    >>> describe("vit-b16-224").encoder.dim
    768
    """
    if settings or revision is not None or not isinstance(name, str) or os.path.isdir(os.path.expanduser(name)):
        return find(name, settings=settings, revision=revision, series=series).spec
    return _described(name, series)


@lru_cache(maxsize=256)
def _described(name: str, series: bool) -> ModelSpec:
    """As `describe`: what is built in does not change while a program runs, but what lies in a folder may."""
    return find(name, series=series).spec


# ---------------------------------------------------------------- the three roads to a description


def _built_in(family: Family, model: Published, settings: Mapping[str, Any]) -> ModelSpec:
    overrides = _checked(settings, family, model.name)
    try:
        return _with(family, model, overrides)
    except ConfigError as error:
        if not overrides:
            raise
        raise _unfit(model.name, overrides, error) from None


def _unfit(name: str, overrides: Mapping[str, Any], error: ConfigError) -> UsageError:
    """What is fine without the caller's settings and an error with them is wrong use, whatever value it names."""
    given = ", ".join(f"{setting}={shown(value)}" for setting, value in overrides.items())
    return UsageError(f"{name} cannot be read with {given}: {error}")


def _with(family: Family, model: Published, overrides: Mapping[str, Any]) -> ModelSpec:
    where = f"built in, {model.settings.level}"
    files = Files(
        config=Config(model.config, where, overrides=overrides),
        image=Config(model.preprocessor, where, overrides=overrides),
        processor=Config(model.processor, where, overrides=overrides),
        video=None if model.video is None else Config(model.video, where, overrides=overrides),
        built_in=True,
    )
    return _describe(model.name, family, files, model.settings, overrides, model.notes)


def _from_folder(name: str, folder: str, settings: Mapping[str, Any]) -> Found:
    config = _main_file(folder)
    kind, word = _model_type(config)
    family = reader(word) if isinstance(word, str) else None
    if family is None:
        raise _unread(config.where, kind, word)
    overrides = _checked(settings, family, name)
    files = _files(folder, Config(config.values, config.where, overrides=overrides), overrides)
    if overrides and files.image is None and kind == "model_type" and config.has(kind):
        raise UsageError(f"{name} has no preprocessor_config.json, so there is no {', '.join(overrides)} to set")
    spec = _describe(name, family, files, Label("verified", f"read from {folder}"), overrides)
    if spec.film:
        spec.film()  # now, since what is wrong with a folder's files is said at once
    return Found(spec, family, folder)


def _main_file(folder: str) -> Config:
    """config.json of transformers or timm; or where that names no model, open_clip's own, if it is there."""
    path, other = os.path.join(folder, "config.json"), os.path.join(folder, "open_clip_config.json")
    config = None
    if os.path.lexists(path):
        config = Config(read_json(model_file(folder, "config.json")), path)
        if config.has("model_type") or config.has("architecture"):
            return config
    if os.path.lexists(other):
        return Config(read_json(model_file(folder, "open_clip_config.json")), other)
    if config is None:
        raise ConfigError(f"{folder} has no config.json, so it is no model folder")
    raise ConfigError(f"{path}: model_type is missing, so it is unknown which model this is")


def _model_type(config: Config) -> tuple[str, object]:
    """What names the model in its file, and the word that stands there: transformers', timm's or open_clip's."""
    for kind in ("model_type", "architecture"):
        if config.has(kind):
            return kind, config.raw(kind)
    tower = config.child("model_cfg").child("vision_cfg")
    return ("timm_model_name", tower.raw("timm_model_name")) if tower.has("timm_model_name") else ("model_type", "clip")


def _files(folder: str, config: Config, overrides: Mapping[str, Any]) -> Files:
    """The companions of config.json.

    transformers 5 nests the image and the video processor's values in processor_config.json; before, each had a file
    of its own, and a model without a video file reads videos with the values of the image processor.

    Source: transformers 5.23.0, `image_processing_base.get_image_processor_dict` and
    `video_processing_utils.get_video_processor_dict`, which look in this order.
    """

    def read(name: str) -> Config | None:
        path = os.path.join(folder, name)
        return Config(read_json(model_file(folder, name)), path, overrides=overrides) if os.path.lexists(path) else None

    together = "processor_config.json"
    processor = read(together) or Config({}, os.path.join(folder, together), overrides=overrides)

    def part(key: str, *names: str) -> Config | None:
        nested = processor.child(key)
        if nested.values:
            return Config(nested.values, processor.where, overrides=overrides)
        return next((found for name in names if (found := read(name))), None)

    return Files(
        config=config,
        image=part("image_processor", "preprocessor_config.json"),
        processor=processor,
        video=part("video_processor", "video_preprocessor_config.json", "preprocessor_config.json"),
    )


def _unread(path: str, kind: str, word: object) -> ConfigError:
    from vistoken.unread import UNREAD  # only on the way to an error message

    reason, known = UNREAD.get(str(word), ""), list[str]()
    for family in every():
        known += family.model_types if kind == "model_type" else family.timm.architectures if family.timm else ()
    hint = did_you_mean(word, known) if isinstance(word, str) and not reason else ""
    return ConfigError(
        f"{path}: {kind} is {shown(word)}, which is not read{reason and f': {reason}'}.{hint} "
        f"{len(known)} are: `vistoken models --types` lists them"
    )


def _from_hub(
    hub_id: str,
    known: tuple[Family, Published] | None,
    settings: Mapping[str, Any],
    revision: str | None,
    weights: bool,
    cached: bool,
) -> Found:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        raise MissingExtra("huggingface_hub", "encode", f"{hub_id} is not built in, and fetching it") from None
    patterns = ["config.json", "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
                "open_clip_config.json"]  # fmt: skip
    patterns += ["model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json"] * weights
    try:
        folder = snapshot_download(hub_id, revision=revision, allow_patterns=patterns, local_files_only=cached)
        # The same weights once more in many repositories, so fetched only where they are the only ones.
        if weights and not any(file.startswith("model") and "safetensors" in file for file in os.listdir(folder)):
            patterns.append("open_clip_model.safetensors")
            snapshot_download(hub_id, revision=revision, allow_patterns=patterns, local_files_only=cached)
    except LocalEntryNotFoundError:
        reason = "they are not in the hub's cache" + ("" if cached else ", and the hub was not reached")
        raise _unfetched(hub_id, known, reason) from None
    except (OSError, HfHubHTTPError, ValueError) as error:
        raise _unfetched(hub_id, known, (str(error).strip() or type(error).__name__).splitlines()[0]) from None
    found = _from_folder(hub_id, folder, settings)
    notes = _differences(found.spec, _built_in(*known, settings)) if known else ()
    return replace(found, spec=replace(found.spec, notes=found.spec.notes + notes))


def _unfetched(hub_id: str, known: tuple[Family, Published] | None, reason: str) -> NotAtHand:
    way = "Give a folder that holds them"
    # What is built in can be counted and planned without its files: whoever comes here needs the weights.
    way += "." if known else f", or one of `vistoken models`.{did_you_mean(hub_id, all_names())}"
    return NotAtHand(f"the files of {hub_id} could not be had: {reason}\n{way}")


def _describe(
    name: str,
    family: Family,
    files: Files,
    settings: Label,
    overrides: Mapping[str, Any],
    notes: tuple[str, ...] = (),
) -> ModelSpec:
    where = files.config.where
    reading = _read(where, partial(_reading, family, files))
    film = Later(partial(_read, where, reading.video)) if reading.video else None
    if overrides:
        settings = Label(settings.level, f"{settings.evidence}; {', '.join(overrides)} set by the caller")
    parts = (files.config, files.image, files.processor, files.video)
    same = ("rule", "pixels", "prompt", "computes", "crowds", "pages")
    spec = ModelSpec(
        name=name, family=family.name, trust=Trust(reading.rule_trust or family.rule, settings), film=film,
        tower=_tower(where, reading),
        prefix_tokens=reading.prefix if callable(reading.encoder) or not reading.encoder
        else reading.encoder.prefix_tokens,
        reads=tuple(part.origins for part in parts if part), notes=notes + reading.notes,
        **{field: getattr(reading, field) for field in same},
    )  # fmt: skip
    if reading.rule and (side := reading.rule.up_to) and not reading.rule.tiling(Size(side, side)).patches:
        made = (files.image or files.config).where
        raise ConfigError(f"{made}: of what is made of every picture, nothing fills a {reading.rule.patch} patch")
    if overrides:
        _refuse_unused(spec, overrides)
    return spec


def _reading(family: Family, files: Files) -> Reading:
    """What the family makes of the files, in its own form, timm's or open_clip's."""
    config = files.config
    if config.has("model_type") or not family.timm or not (config.has("architecture") or config.has("model_cfg")):
        return family.read(files)
    from vistoken.formats import read_open_clip, read_timm  # most models do without them

    return read_timm(family, files) if config.has("architecture") else read_open_clip(family, files)


def _tower(where: str, reading: Reading) -> Later[EncoderSpec] | None:
    """The encoder, read when it is asked for; its prefix tokens are known before."""
    if reading.encoder is None:
        return None
    encoder = reading.encoder
    if not callable(encoder):
        return Later(lambda: encoder)

    def read() -> EncoderSpec | None:
        spec = _read(where, encoder)
        assert spec is None or spec.prefix_tokens == reading.prefix, f"{where}: {spec.prefix_tokens} prefix tokens"
        return spec

    return Later(read)


def _read(where: str, read: Callable[[], T]) -> T:
    """What `read` makes of the files; numbers that are fine one by one and no transformer together are their error."""
    try:
        return read()
    except SettingError:
        raise
    except UsageError as error:
        raise ConfigError(f"{where}: {error}") from None


def _refuse_unused(spec: ModelSpec, overrides: Mapping[str, Any]) -> None:
    """A setting that the reader never asked for, for videos neither, would change nothing in silence."""
    used = {origin.field for origin in spec.origins if origin.source == SETTING}
    if unused := [setting for setting in overrides if setting not in used]:
        raise UsageError(f"{spec.name}: {', '.join(unused)} has no effect with these values of the model; leave it out")


def _differences(files: ModelSpec, built_in: ModelSpec) -> tuple[str, ...]:
    """In what the files of a built-in model differ from what is built in. The files win; this reports it."""
    pairs = [
        ("view rule", files.rule, built_in.rule),
        ("pixels", files.pixels, built_in.pixels),
        ("prompt", files.prompt, built_in.prompt),
        ("video", files.video, built_in.video),
    ]
    if files.encoder and built_in.encoder:
        fields = files.encoder.__dataclass_fields__
        pairs += [(f"encoder {name}", getattr(files.encoder, name), getattr(built_in.encoder, name)) for name in fields]
    return tuple(
        f"{what}: {theirs} in the files of {files.name}, {ours} built in"
        for what, theirs, ours in pairs
        if theirs != ours
    )


# ---------------------------------------------------------------- refusals


def _checked(settings: Mapping[str, Any], family: Family, name: str) -> Mapping[str, Any]:
    for setting in settings:
        if setting not in family.settings:
            raise UsageError(
                f"{name} has no setting {setting!r}: it has {', '.join(family.settings) or 'none'}."
                + did_you_mean(setting, family.settings)
            )
    return settings


def _refuse_series(name: str, family: Family, model: Published) -> None:
    if name.lower() == model.series.lower():
        sizes = ", ".join(member.name for member in family.published if member.series == model.series)
        raise ModelError(f"{name} is a series of several sizes; choose one of {sizes}")


def _unknown(name: str, known: tuple[Family, Published] | None) -> ModelError:
    if known:
        return ModelError(f"{name} is an architecture without published weights: give a folder that holds weights")
    if os.path.exists(name):
        return ModelError(f"{name} is a file: a model is a folder with config.json, a hub id or a built-in name")
    return ModelError(
        f"{name!r} is no folder and no built-in model.{did_you_mean(name, all_names())} `vistoken models` lists them."
    )
