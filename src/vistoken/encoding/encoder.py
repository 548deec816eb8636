"""The front door of encoding: a model's name and pictures in, tokens out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from vistoken import pixels, registry
from vistoken.encoding.attention import check_engine
from vistoken.encoding.film import choose, of_film
from vistoken.encoding.frames import film_of
from vistoken.encoding.frontend import seed_parameters
from vistoken.encoding.inputs import Failed, read_all, read_picture
from vistoken.encoding.model import VisionEncoder
from vistoken.encoding.output import ImageTokens, to_numpy
from vistoken.encoding.passing import Asked, Options, Wishes, check_options, check_positive, encode_pack
from vistoken.encoding.prepared import Prepared, known_pixels, of_picture, of_tensor
from vistoken.encoding.weights import load_weights
from vistoken.errors import ConfigError, ModelError, UsageError, VistokenError, did_you_mean
from vistoken.geometry import Size
from vistoken.model_spec import ModelSpec
from vistoken.packs import PACK_TOKENS, packs
from vistoken.spec import EncoderSpec
from vistoken.weight_names import Seeded, WeightNames

if TYPE_CHECKING:
    from typing import Unpack

    from PIL import Image

    from vistoken.encoding.frames import Video
    from vistoken.encoding.inputs import Input

    OnError = Literal["raise", "return"]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Encoder:
    """A vision encoder with its weights, and the way pictures are brought to it.

    >>> encoder = Encoder.from_pretrained("vistoken/front-end")
    >>> [result] = encoder.encode(["examples/images/chelsea.png"])
    >>> result.patches.shape, result.grids
    (torch.Size([504, 768]), (Grid(rows=18, cols=28, frames=1),))
    """

    def __init__(self, spec: ModelSpec, module: VisionEncoder) -> None:
        self.spec, self.module = spec, module.eval().requires_grad_(False)
        if spec.pixels:
            module.embed.fold(spec.pixels.scale, spec.pixels.mean, spec.pixels.std)

    @classmethod
    def from_pretrained(
        cls,
        model: str,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        attention: str = "sdpa",
        pool: str = "own",
        cached: bool = False,
        **settings: Any,
    ) -> Encoder:
        """Load a model by hub id, alias or folder.

        Args:
            model: its files come from the folder, the hub's cache, or the hub.
            revision: of the hub repository.
            device: where it runs; the CPU where none is given.
            dtype: "float32" (also where none is given) or "bfloat16".
            attention: "sdpa", torch's fused attention over segments; "varlen", its variable-length attention on CUDA in
                bfloat16; or "reference", slow and obvious.
            pool: the family's "own" pooled vector, or the class token ("cls"), the "mean" over the patches or both
                ("cls+mean") instead; "attention" where that is the family's own.
            cached: take weights from folders and the hub's cache alone, never from the network.
            settings: values of the model's own preprocessor under their own names.

        Raises `ModelError` for an unknown model, `ConfigError` and `WeightsError` for files that are wrong.
        """
        place = _device(device)
        check_engine(attention, place, _dtype(dtype))
        found = registry.find(model, settings=settings, revision=revision, series=False, cached=cached)
        _encoder_spec(found.spec)  # what cannot be encoded is refused before anything large is fetched
        if not isinstance(found.family.weight_names(), Seeded):
            # With the files, whose values win over what is built in.
            found = registry.find(model, settings=settings, revision=revision, files=True, cached=cached)
        with torch.device("meta"):
            module = VisionEncoder(_encoder_spec(found.spec), attention, pool).to(_dtype(dtype))
        _check_memory(module, found.spec.name)
        return cls(found.spec, _fill(module, found).to(place))

    # ------------------------------------------------------------ pictures

    @overload
    def encode(
        self, images: Iterable[Input], *, on_error: Literal["raise"] = "raise", **options: Unpack[Options]
    ) -> list[ImageTokens]: ...

    @overload
    def encode(
        self, images: Iterable[Input], *, on_error: Literal["return"], **options: Unpack[Options]
    ) -> list[ImageTokens | Failed]: ...

    def encode(self, images: Iterable[Input], *, on_error: OnError = "raise", **options: Unpack[Options]) -> Any:
        """The tokens of pictures of any size, in input order.

        Args:
            images: paths, bytes, open files, PIL images, or arrays and tensors of bytes; see `read_picture`.
            on_error: "raise" an `InputError` that names the picture and its position, or "return" a `Failed` in its
                place and go on.
            options: what is returned and how it is made, see `Options`: `what`, `layers`, `attention_maps`,
                `attention_heads`, `normed_layers`, `merge_tokens`, `input`, `channels`, `max_tokens`,
                `max_image_pixels`.
        """
        return list(self.stream(images, on_error=on_error, **options))

    @overload
    def stream(
        self, images: Iterable[Input], *, on_error: Literal["raise"] = "raise", **options: Unpack[Options]
    ) -> Iterator[ImageTokens]: ...

    @overload
    def stream(
        self, images: Iterable[Input], *, on_error: Literal["return"], **options: Unpack[Options]
    ) -> Iterator[ImageTokens | Failed]: ...

    def stream(self, images: Iterable[Input], *, on_error: OnError = "raise", **options: Unpack[Options]) -> Any:
        """The same one by one: pictures are read when they are needed, and one pack of tokens is held at a time."""
        known_pixels(self.spec)
        check_options(options, Options)
        for name in ("max_tokens", "max_image_pixels"):
            if name in options:
                check_positive(name, options[name])
        asked, fed = Asked.of(self.module, options), options.get("input")
        limit = options.get("max_image_pixels", pixels.MAX_PIXELS)
        pictures = read_all(images, options.get("channels"), limit, on_error)
        size = None if fed is None else Size.of(fed)
        prepared = self._prepared(pictures, size, limit, on_error == "return")
        return self._as_written(self.run(prepared, options.get("max_tokens", PACK_TOKENS), asked))

    def _as_written(self, results: Iterator[Any]) -> Iterator[Any]:
        """The same results, each made sure to fill the places that the model's processor writes for it.

        The two numbers stand in two files. Raises `ConfigError` where these contradict each other.
        """
        for result in results:
            made = None if isinstance(result, Failed) else result.image_tokens
            if made is not None and self.spec.prompt and result.scene.tiling:
                size = result.scene.size
                written = self.spec.prompt.sequence(result.scene.tiling, size).image_tokens
                if written != len(made):
                    raise ConfigError(
                        f"{self.spec.name}: of a picture of {size} the tower makes {len(made):,} image tokens, and the "
                        f"processor writes {written:,} places for them: config.json and the processor's files must "
                        "agree on that; the tower alone answers to what=['patches'] (--what patches)"
                    )
            yield result

    def _prepared(
        self, pictures: Iterator[tuple[str, Image.Image] | Failed], fed: Size | None, limit: int, keep_going: bool
    ) -> Iterator[Prepared | Failed]:
        for index, read in enumerate(pictures):
            if isinstance(read, Failed):
                yield read
                continue
            name, picture = read
            try:
                yield of_picture(picture, name, self.spec, fed, max(pixels.MAX_PIXELS, limit))
            except VistokenError as error:
                failed = Failed.at(index, name, error)
                if not keep_going:
                    raise failed.error from None
                yield failed

    def embed(
        self,
        images: Iterable[Input],
        normalize_embeddings: bool = False,
        show_progress_bar: bool | None = None,
        **options: Unpack[Options],
    ) -> np.ndarray:
        """Pooled vectors of pictures: (pictures, pooled dim), float32.

        Args:
            images: as in `encode`.
            normalize_embeddings: scale each vector to length 1.
            show_progress_bar: by default on a terminal alone.
            options: as in `encode`.

        Raises `UsageError` for a family without a pooled vector, and for a picture of which there are several views.
        """
        width = self.module.pooled_dim
        if width is None:
            raise UsageError(f"{self.spec.name} has no pooled vector of its own: load it with pool='mean', for example")
        options["what"] = ["pooled"]
        results = with_progress(self.stream(images, **options), show_progress_bar)
        vectors = [_vector(result) for result in results]
        pooled = torch.stack(vectors).float() if vectors else torch.zeros(0, width)
        return to_numpy(torch.nn.functional.normalize(pooled, dim=-1) if normalize_embeddings else pooled)

    def encode_pixels(
        self, images: Sequence[Tensor], *, max_tokens: int = PACK_TOKENS, **options: Unpack[Wishes]
    ) -> list[ImageTokens]:
        """The tokens of (3, H, W) tensors that are already resized and normalised: the door for other pipelines.

        Where patches span frames, (F, 3, H, W) is a video. Each tensor is one view, so that the image tokens of models
        with tiles are those of one tile, behind them the newline of a picture with one view where the model has one.
        `options` are those of `Wishes`.
        """
        check_options(options, Wishes)
        check_positive("max_tokens", max_tokens)
        asked = Asked.of(self.module, options)
        prepared = [of_tensor(image, index, self.module.spec, asked.wanted.image) for index, image in enumerate(images)]
        return list(self.run(prepared, max_tokens, asked))

    def encode_video(
        self,
        video: Video,
        *,
        frames: Iterable[int] | None = None,
        fps: float | None = None,
        **options: Unpack[Wishes],
    ) -> ImageTokens:
        """The tokens of one video: frame group by frame group, in the order of the prompt.

        Args:
            video: a file (PyAV decodes it: `pip install 'vistoken[video]'`), a list of frames as in `encode`, or an
                array or a tensor of bytes, (frames, height, width, 3).
            frames: numbers of the frames to look at, from 0; by default the model's own rule chooses them, and of a
                list or array without `fps` all are looked at.
            fps: frames a second of the video itself; a file tells its own.
            options: those of `Wishes`.

        Raises `InputError` that names the video, or the frame; `UsageError` for a model that takes no videos.
        """
        check_options(options, Wishes)
        asked = Asked.of(self.module, options)
        film = film_of(video, fps)
        prepared = of_film(film, choose(film, self.spec, frames), self.spec, "image_tokens" in asked.what)
        return next(self.run([prepared], asked=asked))

    # ------------------------------------------------------------ the two halves

    def prepare(
        self, image: Input, *, input: Size | None = None, max_image_pixels: int = pixels.MAX_PIXELS
    ) -> Prepared:
        """Decode a picture and carry out the steps of its views. Raises `InputError` that names it."""
        name, picture = read_picture(image, None, max_image_pixels)
        return of_picture(picture, name, self.spec, input, max(pixels.MAX_PIXELS, max_image_pixels))

    @overload
    def run(
        self, prepared: Iterable[Prepared], max_tokens: int = PACK_TOKENS, asked: Asked | None = None
    ) -> Iterator[ImageTokens]: ...

    @overload
    def run(
        self, prepared: Iterable[Prepared | Failed], max_tokens: int = PACK_TOKENS, asked: Asked | None = None
    ) -> Iterator[ImageTokens | Failed]: ...

    def run(self, prepared: Iterable[Any], max_tokens: int = PACK_TOKENS, asked: Asked | None = None) -> Iterator[Any]:
        """Prepared pictures through the encoder, in packs of up to `max_tokens` tokens, in order; failures pass by."""
        asked = asked or Asked.of(self.module, {})
        for pack in packs(prepared, self._length, max_tokens):
            yield from _encode(self.module, pack, asked)

    def _length(self, picture: Prepared | Failed) -> int:
        """Tokens; a failure counts as one, so that no more than a pack of them waits either."""
        return 1 if isinstance(picture, Failed) else picture.tokens(self.module.spec)


def _encode(
    module: VisionEncoder, pictures: Sequence[Prepared | Failed], asked: Asked
) -> Iterator[ImageTokens | Failed]:
    """One pack, and the failures between its pictures."""
    good = [picture for picture in pictures if isinstance(picture, Prepared)]
    results = iter(encode_pack(module, good, asked) if good else ())
    for picture in pictures:
        yield picture if isinstance(picture, Failed) else next(results)


def _fill(module: VisionEncoder, found: registry.Found) -> VisionEncoder:
    """Give a module on the meta device its values: from the family's seed, or from the model's files."""
    match found.family.weight_names():
        case Seeded(seed):
            module = module.to_empty(device="cpu")
            seed_parameters(module, seed)
        case WeightNames() as names if found.folder is not None:
            load_weights(module, found.folder, names)
        case _:
            raise ModelError(f"{found.spec.name} has no weights to load: the family {found.family.name} names none")
    return module


def _vector(result: ImageTokens) -> Tensor:
    """The pooled vector of a picture. Raises `UsageError` where each of several views has its own."""
    assert result.pooled is not None  # it was asked for, and the encoder has one
    if result.pooled.ndim > 1:
        raise UsageError(
            f"{result.source} has {len(result.views)} views, and each a pooled vector of its own: use "
            "encode(what=['pooled']), or a model that looks at the whole picture once"
        )
    return result.pooled


def _encoder_spec(spec: ModelSpec) -> EncoderSpec:
    if spec.encoder is None:
        raise ModelError(f"{spec.name} can be counted but not encoded: its encoder is not described yet")
    return spec.encoder


def _device(device: str | torch.device | None) -> torch.device:
    """The device, if it is there: an empty tensor is put on it."""
    try:
        place = torch.empty(0, device="cpu" if device is None else device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch has no error class of its own for this
        reason = str(error).splitlines()[0][:120]
        raise UsageError(f"device {str(device)!r} cannot be used here: {reason}") from None
    if place.type == "meta":
        raise UsageError("device 'meta' holds no values, so nothing can be encoded there")
    return place


def _check_memory(module: VisionEncoder, name: str) -> None:
    """Refuse a description whose parameters cannot fit this machine, before anything is allocated."""
    wanted = sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
    if not hasattr(os, "sysconf"):  # Windows, which says so by failing to allocate
        return
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if wanted > there:
        raise ModelError(
            f"the parameters of {name} take {wanted / 2**30:,.1f} GiB, and this machine has {there / 2**30:,.1f} GiB"
        )


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    if dtype is None:
        return torch.float32
    if dtype in DTYPES.values():
        assert isinstance(dtype, torch.dtype)
        return dtype
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise UsageError(f"dtype {name!r} is not supported: choose {' or '.join(DTYPES)}.{did_you_mean(name, DTYPES)}")
    return DTYPES[name]


def with_progress(results: Iterator[ImageTokens], show: bool | None) -> Iterator[ImageTokens]:
    """The same results, with a progress bar on stderr; by default on a terminal alone."""
    from tqdm import tqdm

    return tqdm(results, unit=" pictures", disable=None if show is None else not show)  # None: off without a terminal
