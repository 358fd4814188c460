"""Where in the input an output cell comes from."""

from __future__ import annotations

from collections.abc import Sequence


def span(start: int, length: int, size: int) -> slice:
    """Return `length` positions from `start`, cut to what lies inside an axis of `size`."""
    return slice(min(max(start, 0), size), max(min(start + length, size), 0))


def patch(
    index: Sequence[int],
    window: Sequence[int],
    image: Sequence[int],
    *,
    padding: int = 0,
    stride: int = 1,
) -> tuple[slice, slice]:
    """Return the rows and columns under a window, without the part that lies in the padding.

    Parameters
    ----------
    index : (row, column)
        Of the output cell.
    window, image : (height, width)
    """
    rows, columns = (
        span(i * stride - padding, length, size) for i, length, size in zip(index, window, image, strict=True)
    )
    return rows, columns
