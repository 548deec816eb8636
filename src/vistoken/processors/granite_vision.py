"""What the preprocessors of IBM's Granite Vision models say: LlavaNextImageProcessor with 27 canvases.

Source: the published config of granite-vision-3.2-2b: all canvases of up to ten tiles of 384 pixels, except those of
three rows or columns and more that are not 3 x 3 or one or two tiles wide.
"""

from __future__ import annotations

from vistoken.preprocessing import HALF

# Columns of tiles allowed for each number of rows.
_COLS = {1: 10, 2: 5, 3: 3, 4: 2, 5: 2, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1}
PINPOINTS = [[384 * rows, 384 * cols] for rows, most in _COLS.items() for cols in range(1, most + 1)]
PREPROCESSOR = {
    "image_processor_type": "LlavaNextImageProcessor", "do_resize": True, "size": {"height": 384, "width": 384},
    "resample": 3, "do_center_crop": True, "crop_size": {"height": 384, "width": 384}, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF, "do_pad": True,
    "image_grid_pinpoints": PINPOINTS,
}  # fmt: skip
