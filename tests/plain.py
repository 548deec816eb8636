"""The plain path of pixels, for comparison: floats, normalised, as one image."""

from vistoken.encoding.prepared import normalise


def pixels_of(prepared, spec, number=0):
    """One view of a prepared picture as the plain path has it: (3, H, W) float32, normalised."""
    view = prepared.views[number]
    patch, grid = view.patch, view.grid
    cells = prepared.patches[number].reshape(grid.rows, grid.cols, 3, patch.height, patch.width)
    image = cells.permute(0, 3, 1, 4, 2).reshape(grid.rows * patch.height, grid.cols * patch.width, 3)
    return normalise(image.numpy(), spec.pixels)
