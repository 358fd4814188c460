"""Exercise 1.4: how many positions a kernel has."""

from __future__ import annotations

import math
from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw


def output_size(n: int, f: int, p: int = 0, s: int = 1) -> int:
    """Return the number of positions: the steps that fit into the room left by the kernel, plus one."""
    return (n + 2 * p - f) // s + 1


def _refusing(n: int, f: int, p: int = 0, s: int = 1) -> int:
    if (n + 2 * p - f) % s:
        raise ValueError("the stride does not divide")
    return output_size(n, f, p, s)


def probes(seed: int) -> Sequence[Probe]:
    """Start with one position; then ask for every remainder that a stride of 2 or 3 can leave."""
    draw = Draw(seed)
    kernel, stride = draw.one_of(3, 5, 7), draw.one_of(3, 4, 5)
    steps = draw.between(3, 9)
    return (
        Probe((3, 3), note="the kernel fits once"),
        Probe((5, 3), note="no padding, stride 1"),
        Probe((7, 4), note="a kernel of even size"),
        Probe((6, 3, 1), note="padding 1"),
        Probe((7, 3, 0, 2), note="stride 2, which divides"),
        Probe((6, 3), {"s": 2}, "stride 2 does not divide 3"),
        Probe((8, 3), {"s": 2}, "stride 2 does not divide 5"),
        Probe((8, 4), {"s": 3}, "stride 3 does not divide 4: one pixel is left over"),
        Probe((8, 3), {"s": 3}, "stride 3 does not divide 5: two pixels are left over"),
        Probe((2, 2), {"p": 1, "s": 3}, "stride 3: only the first position fits"),
        Probe((28, 5), {"p": 2, "s": 2}, "padding 2 and stride 2"),
        Probe((224, 7, 3, 2), note="the first layer of ResNet"),
        Probe(
            (stride * steps + kernel - 1, kernel),
            {"s": stride},
            f"stride {stride}: {stride - 1} pixels are left over",
        ),
        Probe((draw.between(20, 40), kernel, draw.between(1, 3), stride), note="larger numbers"),
        Probe((5, 1), note="a 1×1 kernel"),
    )


EXERCISE = Exercise(
    number="1.4",
    points=1,
    reference=output_size,
    probes=probes,
    section="Lab 01, Output size",
    misconceptions=(
        Misconception(
            "ceil-for-floor",
            lambda n, f, p=0, s=1: math.ceil((n + 2 * p - f) / s) + 1,
            "The division is rounded up: a last window that reaches over the border is counted.",
        ),
        Misconception(
            "round-for-floor",
            lambda n, f, p=0, s=1: round((n + 2 * p - f) / s) + 1,
            "The division is rounded to the nearest integer, which can count a window that does not fit.",
        ),
        Misconception(
            "round-at-the-end",
            lambda n, f, p=0, s=1: round((n + 2 * p - f) / s + 1),
            "The division is rounded to the nearest integer, which can count a window that does not fit.",
        ),
        Misconception(
            "brackets-missing",
            lambda n, f, p=0, s=1: n + 2 * p - f // s + 1,
            "Brackets are missing: // comes before + and −, so only f is divided by the stride.",
        ),
        Misconception(
            "half-rounded-up",
            lambda n, f, p=0, s=1: math.floor((n + 2 * p - f) / s + 0.5) + 1,
            "The division is rounded to the nearest integer, which can count a window that does not fit.",
        ),
        Misconception(
            "remainder-refused",
            _refusing,
            "A stride that does not divide raises an error. A layer accepts it and leaves some pixels over.",
        ),
        Misconception(
            "not-floored",
            lambda n, f, p=0, s=1: (n + 2 * p - f) / s + 1,
            "The division is not rounded down; the number of positions is an integer.",
        ),
        Misconception(
            "plus-one-inside",
            lambda n, f, p=0, s=1: (n + 2 * p - f + 1) // s,
            "The 1 of the first position is added before the division, so the stride divides it too.",
        ),
        Misconception(
            "last-position-forgotten",
            lambda n, f, p=0, s=1: len(range(0, n + 2 * p - f, s)),
            "A window that ends exactly at the border is not counted; it still fits.",
        ),
        Misconception(
            "first-position-forgotten",
            lambda n, f, p=0, s=1: (n + 2 * p - f) // s,
            "This counts the steps between positions; the first position is missing.",
        ),
        Misconception(
            "padding-counted-once",
            lambda n, f, p=0, s=1: (n + p - f) // s + 1,
            "The padding is counted on one side only.",
        ),
        Misconception(
            "padding-ignored",
            lambda n, f, p=0, s=1: (n - f) // s + 1,
            "The padding has no effect.",
            "Lab 01, Padding",
        ),
        Misconception(
            "padding-subtracted",
            lambda n, f, p=0, s=1: (n - 2 * p - f) // s + 1,
            "The padding is subtracted, as if it made the image smaller.",
            "Lab 01, Padding",
        ),
        Misconception(
            "stride-ignored",
            lambda n, f, p=0, s=1: n + 2 * p - f + 1,
            "The stride has no effect.",
            "Lab 01, Stride",
        ),
        Misconception(
            "kernel-ignored",
            lambda n, f, p=0, s=1: (n + 2 * p - 1) // s + 1,
            "The kernel's own size is not subtracted.",
        ),
    ),
    hints=(
        "Draw 6 pixels and a kernel of 3 that moves by 2. Where does it start for the last time?",
        "The padded length is n + 2p. After the first position, n + 2p − f pixels are left for steps.",
        "Each step takes s pixels; a step that does not fit completely does not count.",
    ),
)
