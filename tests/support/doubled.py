"""A small exercise for the tests of the judging itself."""

import torch

from course_utils.exercises import Exercise, Misconception, Probe, judging

IMAGE = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def doubled(image, times=1):
    return image * 2**times


DOUBLED = Exercise(
    number="9.9",
    points=3,
    reference=doubled,
    probes=lambda seed: (
        Probe((IMAGE,), note="a 2×2 image"),
        Probe((IMAGE - 5, 2), note="all pixels negative"),
        Probe((torch.arange(6.0).reshape(2, 3) + seed,), {"times": 2}, "wider than tall"),
        Probe((torch.tensor([[1.0, -2.0], [-0.5, 3.0]]),), note="both signs"),
    ),
    misconceptions=(
        Misconception("once", lambda image, times=1: image * 2, "Only once.", "Lab 01, Padding"),
        Misconception("squared", lambda image, times=1: image**2, "This squares.", "Lab 01, Stride"),
    ),
    hints=("One hint.",),
)


def verdict_of(candidate, **options):
    return judging.evaluate(DOUBLED, candidate, **options)
