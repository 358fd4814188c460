"""Exercise 1.3: the padding that keeps an image's size."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw


def same_padding(f: int) -> int:
    """Return the padding that keeps an image's size under an odd kernel: from (n + 2p − f) + 1 = n."""
    return (f - 1) // 2


def probes(seed: int) -> Sequence[Probe]:
    """Ask for the small odd kernels, then for one of another size in every seed."""
    sizes = (3, 5, 1, 7, 9, 2 * Draw(seed).between(5, 20) + 1)
    return tuple(Probe((f,), note=f"a {f}×{f} kernel") for f in sizes)


EXERCISE = Exercise(
    number="1.3",
    points=1,
    reference=same_padding,
    probes=probes,
    section="Lab 01, Padding",
    misconceptions=(
        Misconception(
            "both-sides-together",
            lambda f: f - 1,
            "This counts the zeros of both sides together; the padding is the number on one side.",
        ),
        Misconception(
            "kernel-size",
            lambda f: f,
            "The padding is as large as the kernel. So is f - 1 // 2, because // comes before −.",
        ),
        Misconception(
            "half-rounded-up",
            lambda f: (f + 1) // 2,
            "Half the kernel is rounded up, so the image grows by two pixels.",
        ),
        Misconception(
            "half-rounded",
            lambda f: round(f / 2),
            "Half the kernel is rounded to the nearest integer, and .5 to the even one; the pixel in "
            "the middle needs no padding.",
        ),
        Misconception(
            "half-not-whole",
            lambda f: f / 2,
            "This is half the kernel's size, which is a fraction: there are no half pixels.",
        ),
        Misconception(
            "always-one",
            lambda f: 1,
            "The padding is always 1, which keeps the size for 3×3 kernels only.",
        ),
        Misconception(
            "valid",
            lambda f: 0,
            "There is no padding, so every kernel larger than 1×1 makes the image smaller.",
        ),
        Misconception(
            "a-number-for-each-side",
            lambda f: (f // 2, f // 2),
            "There is one number for each side; a single number that holds for every side is expected.",
        ),
        Misconception(
            "a-number-for-all-four-sides",
            lambda f: (f // 2,) * 4,
            "There is one number for each side; a single number that holds for every side is expected.",
        ),
        Misconception(
            "name-of-the-option",
            lambda f: "same",
            "'same' is the name of an option; how many rows and columns of zeros that means is the question.",
        ),
        Misconception(
            "kernel-minus-two",
            lambda f: max(f - 2, 0),
            "The padding grows by 2 from one odd kernel to the next; for 1×1 and 3×3 it is right by chance.",
        ),
    ),
    hints=(
        "How many rows does an image lose under an f×f kernel without padding?",
        "Both sides together make up for that loss. Try f = 3 and f = 5 on paper.",
    ),
)
