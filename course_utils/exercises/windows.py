"""Where in the input an output cell comes from."""

from __future__ import annotations

from course_utils.exercises.model import Region


def span(start: int, length: int, size: int) -> slice:
    """Return `length` positions from `start`, cut to what lies inside an axis of `size`."""
    return slice(min(max(start, 0), size), max(min(start + length, size), 0))


def patch(
    row: int,
    column: int,
    window: tuple[int, int],
    image: tuple[int, int],
    *,
    padding: int = 0,
    stride: int = 1,
) -> Region:
    """Return the rows and columns under a sliding window, without the part that lies in the padding."""
    (height, width), (rows, columns) = window, image
    return (
        span(row * stride - padding, height, rows),
        span(column * stride - padding, width, columns),
    )
