"""Writes `data/pixels/torchvision.npz`: samples of the views that torchvision's processors make.

Run it where transformers and torchvision are installed: `PYTHONPATH=src:tests python tests/make_pixel_goldens.py`.
A key is family|settings|WIDTHxHEIGHT|number of views|view; its bytes are those at the rows and columns of `samples`. The key
family|0|0x0|0|values holds mean, deviation and scale as the processor applies them.
"""

import numpy as np
from pixel_cases import GOLDENS, SIZES, Reference, as_bytes, picture, samples

from vistoken import registry
from vistoken.judge.unpacked import UNPACKERS
from vistoken.judge.verify import quiet, settings_of

PIL_WITHIN = ("Mistral 3", "Pixtral")
# The whole canvas of Phi-4 is resized after normalising, past the range of bytes: see `PaddedCrops`.
FIRST_VIEW = {"Phi-4-multimodal": 1}


def of_family(family):
    """Key and array, of the published values on all sizes and of each set of settings on two."""
    model = family.published[0]
    for number, settings in settings_of(family):
        reference = Reference.of(family, model, settings)
        values = reference.values()
        if not number:
            yield f"{family.name}|0|0x0|0|values", np.concatenate([*values[:2], np.full(3, values[2])])
        for width, height in (SIZES[0], SIZES[-1]) if number else SIZES:
            views = reference.views(picture(width, height))
            for place in sorted({FIRST_VIEW.get(family.name, 0), len(views) // 2, len(views) - 1}):
                whole = samples(as_bytes(views[place], *values))
                assert 0 <= whole.min() <= whole.max() <= 255, (family.name, settings, place)
                yield f"{family.name}|{number}|{width}x{height}|{len(views)}|{place}", whole.astype(np.uint8)


def main():
    quiet()
    arrays = {}
    for family in registry.families():
        known = family.reference and family.reference.torchvision and family.reference.sees in UNPACKERS
        if known and family.name not in PIL_WITHIN:
            arrays.update(of_family(family))
            print(f"{family.name}: {len(arrays)} arrays so far")
    GOLDENS.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDENS, **arrays)


if __name__ == "__main__":
    main()
