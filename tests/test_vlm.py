"""What an LLM receives: image tokens against transformers' processor and model, from photographs and odd sizes."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import numpy as np  # noqa: E402
from conftest import PHOTOGRAPHS  # noqa: E402
from evidence import agree  # noqa: E402
from PIL import Image  # noqa: E402
from vlm_twins import BUILDERS, vlm_twin  # noqa: E402

from vistoken import count  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402

NAMES = tuple(BUILDERS)


def pictures():
    """Photographs, made small, and noise of odd sizes: non-square, prime, thin, tiny."""
    for path in PHOTOGRAPHS[:3]:
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((320, 320))
        yield picture
    generator = np.random.default_rng(7)
    for height, width in ((97, 211), (64, 64), (40, 300), (300, 40), (7, 9)):
        yield Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


PICTURES = list(pictures())


@torch.no_grad()
def reference(twin, picture):
    return twin.features(twin.module, twin.inputs(picture))


@pytest.mark.parametrize("attention", ["sdpa", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_image_tokens_equal_the_reference_one_by_one_and_packed(name, attention):
    twin = vlm_twin(name)
    encoder = Encoder.from_pretrained(twin.folder, attention=attention)
    together = encoder.encode(PICTURES)
    for picture, packed in zip(PICTURES, together, strict=True):
        wanted = reference(twin, picture)
        [alone] = encoder.encode([picture])
        agree(twin.folder, "image tokens", alone.image_tokens, wanted, picture.size)
        agree(twin.folder, "image tokens", packed.image_tokens, wanted, picture.size)


@pytest.mark.parametrize("name", NAMES)
def test_count_equals_what_encode_returns(name):
    twin = vlm_twin(name)
    encoder = Encoder.from_pretrained(twin.folder)
    for picture, result in zip(PICTURES, encoder.encode(PICTURES), strict=True):
        counted = count(twin.folder, width=picture.width, height=picture.height)
        assert counted.patches == len(result.patches) == len(list(result.boxes()))
        assert counted.prefix_tokens == sum(map(len, result.prefix.values()))
        assert counted.image_tokens == len(result.image_tokens) == len(list(result.token_boxes()))
        assert tuple(view.grid for view in counted.views) == result.grids
