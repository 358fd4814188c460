"""Exercise 4.4: the learning rate of an epoch."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

SECTION = "Lab 04, Learning rate"
HALVED_AT = (10, 14, 18)


def vgg_learning_rate(epoch: int) -> float:
    """Return the learning rate of `epoch` (from 1): 0.25, halved at epochs 10, 14 and 18."""
    return 0.25 / 2 ** sum(epoch >= at for at in HALVED_AT)


def _one_late(epoch: int) -> float:
    return vgg_learning_rate(epoch - 1)


def _one_early(epoch: int) -> float:
    return vgg_learning_rate(epoch + 1)


def _every_epoch_from_ten(epoch: int) -> float:
    return 0.25 / 2 ** max(0, epoch - 9)


def _once(epoch: int) -> float:
    return 0.25 if epoch < HALVED_AT[0] else 0.125


def _only_then(epoch: int) -> float:
    return 0.125 if epoch in HALVED_AT else 0.25


def _every_four(epoch: int) -> float:
    return 0.25 / 2 ** (epoch // 4)


def _every_four_from_ten(epoch: int) -> float:
    return 0.25 if epoch < 10 else 0.25 / 2 ** ((epoch - 10) // 4)


def _on_for_ever(epoch: int) -> float:
    return 0.25 if epoch < 10 else 0.25 / 2 ** ((epoch - 6) // 4)


def _by_one_and_a_half(epoch: int) -> float:
    return 0.25 / 1.5 ** sum(epoch >= at for at in HALVED_AT)


def _of_lenet5(epoch: int) -> float:
    return 0.25 / 1.5 ** (epoch // 5)


def _by_ten(epoch: int) -> float:
    return 0.25 / 10 ** sum(epoch >= at for at in HALVED_AT)


def _squared(epoch: int) -> float:
    steps = sum(epoch >= at for at in HALVED_AT)
    return 0.25 / 2 ** (steps * (steps + 1) // 2)


def _subtracted(epoch: int) -> float:
    return 0.25 * (1 - sum(epoch >= at for at in HALVED_AT) / 4)


def _divided_by_multiples(epoch: int) -> float:
    return 0.25 / max(1, 2 * sum(epoch >= at for at in HALVED_AT))


def _doubled(epoch: int) -> float:
    return 0.25 * 2 ** sum(epoch >= at for at in HALVED_AT)


def _constant(epoch: int) -> float:
    return 0.25


def probes(seed: int) -> Sequence[Probe]:
    """Ask around each step, then at epochs that differ from seed to seed."""
    draw = Draw(seed)
    asked = {
        1: "the first epoch",
        draw.between(2, 8): "before the first step",
        9: "the last epoch before the first step",
        10: "the first step",
        11: "after the first step",
        draw.between(12, 13): "before the second step",
        14: "the second step",
        draw.between(15, 17): "between two steps",
        18: "the third step",
        20: "the lecture's last epoch",
        draw.between(22, 40): "after the lecture's last epoch",
    }
    return tuple(Probe((epoch,), note=note) for epoch, note in asked.items())


EXERCISE = Exercise(
    number="4.4",
    points=1,
    reference=vgg_learning_rate,
    probes=probes,
    misconceptions=(
        Misconception("one-epoch-late", _one_late, "Every step comes one epoch late (> for ≥).", SECTION),
        Misconception(
            "one-epoch-early",
            _one_early,
            "Every step comes one epoch early, as if epochs were counted from 0; here the first is 1.",
            SECTION,
        ),
        Misconception(
            "halved-every-epoch",
            _every_epoch_from_ten,
            "From epoch 10 on the rate is halved in every epoch, not only at 14 and 18.",
            SECTION,
        ),
        Misconception(
            "halved-once",
            _once,
            "The rate is halved once and then stays: the second and third step never happen.",
            SECTION,
        ),
        Misconception(
            "only-in-these-epochs",
            _only_then,
            "The rate is lower in epochs 10, 14 and 18 only, and back at 0.25 in the next.",
            SECTION,
        ),
        Misconception(
            "every-four-epochs",
            _every_four,
            "The rate is halved every four epochs from the start; the first nine epochs keep 0.25.",
            SECTION,
        ),
        Misconception(
            "first-step-forgotten",
            _every_four_from_ten,
            "At epoch 10 nothing happens: every step is one too few.",
            SECTION,
        ),
        Misconception(
            "on-for-ever",
            _on_for_ever,
            "The rate is halved every four epochs without end; the third step, at 18, is the last.",
            SECTION,
        ),
        Misconception(
            "divided-by-1.5",
            _by_one_and_a_half,
            "The rate is divided by 1.5, as for LeNet5; here it is halved.",
            SECTION,
        ),
        Misconception("schedule-of-lenet5", _of_lenet5, "That is the schedule of LeNet5.", SECTION),
        Misconception(
            "divided-by-10", _by_ten, "The rate is divided by 10 at each step; here it is halved.", SECTION
        ),
        Misconception(
            "steps-squared",
            _squared,
            "Each step divides by a larger power of 2 than the one before; every step halves.",
            SECTION,
        ),
        Misconception(
            "subtracted",
            _subtracted,
            "Each step takes the same amount away; halving takes less and less.",
            SECTION,
        ),
        Misconception(
            "divided-by-multiples",
            _divided_by_multiples,
            "The rate is divided by 2, 4 and 6; halving three times divides by 8.",
            SECTION,
        ),
        Misconception("doubled", _doubled, "The rate is doubled at each step.", SECTION),
        Misconception("constant", _constant, "The rate never changes.", SECTION),
    ),
    hints=(
        "How many of the three steps lie behind an epoch? None up to 9, one from 10, two from 14, three "
        "from 18.",
        "In Python a comparison counts as 0 or 1: sum(epoch >= at for at in (10, 14, 18)).",
        "k halvings divide by 2**k.",
    ),
)
