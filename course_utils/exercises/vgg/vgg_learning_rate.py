"""Exercise 4.4: the learning rate of an epoch."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

HALVED_AT = (10, 14, 18)


def vgg_learning_rate(epoch: int) -> float:
    """Return the learning rate of `epoch` (from 1): 0.25, halved at epochs 10, 14 and 18."""
    return 0.25 / 2 ** sum(epoch >= at for at in HALVED_AT)


def _steps(epoch: int) -> int:
    return sum(epoch >= at for at in HALVED_AT)


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
    section="Lab 04, Learning rate",
    misconceptions=(
        Misconception(
            "one-epoch-late",
            lambda epoch: vgg_learning_rate(epoch - 1),
            "Every step comes one epoch late: it should already count in its own epoch.",
        ),
        Misconception(
            "one-epoch-early",
            lambda epoch: vgg_learning_rate(epoch + 1),
            "Every step comes one epoch early, as if epochs were counted from 0; here the first is 1.",
        ),
        Misconception(
            "halved-every-epoch",
            lambda epoch: 0.25 / 2 ** max(0, epoch - 9),
            "From epoch 10 on, the rate is halved every epoch; after 10, only epochs 14 and 18 should halve "
            "it.",
        ),
        Misconception(
            "halved-once",
            lambda epoch: 0.25 if epoch < HALVED_AT[0] else 0.125,
            "The rate is halved once and then stays the same: the second and third steps never happen.",
        ),
        Misconception(
            "only-in-these-epochs",
            lambda epoch: 0.125 if epoch in HALVED_AT else 0.25,
            "Only epochs 10, 14 and 18 have a lower rate; the epochs after them are back at 0.25.",
        ),
        Misconception(
            "lower-only-in-these-epochs",
            lambda epoch: vgg_learning_rate(epoch) if epoch in HALVED_AT else 0.25,
            "Only epochs 10, 14 and 18 have a lower rate; the epochs after them are back at 0.25.",
        ),
        Misconception(
            "every-four-epochs",
            lambda epoch: 0.25 / 2 ** (epoch // 4),
            "The rate is halved every four epochs from the start; the first nine epochs keep 0.25.",
        ),
        Misconception(
            "every-five-epochs",
            lambda epoch: 0.25 / 2 ** (epoch // 5),
            "The rate is halved every five epochs, as often as LeNet5's steps; here only epochs 10, 14 and "
            "18 halve it.",
        ),
        Misconception(
            "every-five-epochs-from-1",
            lambda epoch: 0.25 / 2 ** ((epoch - 1) // 5),
            "The rate is halved every five epochs, as often as LeNet5's steps; here only epochs 10, 14 and "
            "18 halve it.",
        ),
        Misconception(
            "halved-again-in-every-epoch",
            lambda epoch: 0.25 / 2**epoch,
            "The rate is halved in every epoch, from the first on: a condition such as epoch == 10 or 14 is "
            "always true, because 14 counts as true.",
        ),
        Misconception(
            "halved-in-every-epoch",
            lambda epoch: 0.125,
            "The rate is halved in every epoch, from the first on: a condition such as epoch == 10 or 14 is "
            "always true, because 14 counts as true.",
        ),
        Misconception(
            "first-step-forgotten",
            lambda epoch: 0.25 if epoch < 10 else 0.25 / 2 ** ((epoch - 10) // 4),
            "Nothing happens at epoch 10: the first halving comes at 14.",
        ),
        Misconception(
            "on-for-ever",
            lambda epoch: 0.25 if epoch < 10 else 0.25 / 2 ** ((epoch - 6) // 4),
            "The rate is halved every four epochs without end; the third step, at 18, should be the last.",
        ),
        *(
            Misconception(
                name,
                wrong,
                "In the first epochs the number of halvings is negative, so the rate is above 0.25; "
                "there is none before epoch 10.",
            )
            for name, wrong in {
                "negative-halvings": lambda epoch: 0.25 / 2 ** ((epoch - 6) // 4),
                "negative-halvings-up-to-three": lambda epoch: 0.25 / 2 ** min((epoch - 6) // 4, 3),
                "negative-halvings-from-10": lambda epoch: 0.25 / 2 ** ((epoch - 10) // 4),
            }.items()
        ),
        Misconception(
            "always-zero",
            lambda epoch: 0.0,
            "The rate is 0 in every epoch. // does that, because it divides without fractions.",
        ),
        Misconception(
            "zero-from-the-first-step",
            lambda epoch: 0.25 if epoch < HALVED_AT[0] else 0.0,
            "The rate is 0 from epoch 10 on. // does that, because it divides without fractions.",
        ),
        Misconception(
            "multiplied-by-the-steps",
            lambda epoch: 0.25 / 2 * _steps(epoch),
            "The rate is multiplied by the number of halvings, so it is 0 at first and then grows; k "
            "halvings divide it by 2**k.",
        ),
        Misconception(
            "power-of-the-quotient",
            lambda epoch: (0.25 / 2) ** _steps(epoch),
            "The whole fraction is raised to the number of halvings; only 2 is.",
        ),
        Misconception(
            "divided-by-1.5",
            lambda epoch: 0.25 / 1.5 ** _steps(epoch),
            "The rate is divided by 1.5, as for LeNet5; here it is halved.",
        ),
        Misconception(
            "schedule-of-lenet5", lambda epoch: 0.25 / 1.5 ** (epoch // 5), "That is LeNet5's schedule."
        ),
        Misconception(
            "divided-by-10",
            lambda epoch: 0.25 / 10 ** _steps(epoch),
            "The rate is divided by 10 at each step; here it is halved.",
        ),
        Misconception(
            "steps-squared",
            lambda epoch: 0.25 / 2 ** sum(range(_steps(epoch) + 1)),
            "Each step divides by a larger power of 2 than the one before; every step should halve the rate.",
        ),
        Misconception(
            "subtracted",
            lambda epoch: 0.25 * (1 - _steps(epoch) / 4),
            "Each step subtracts the same amount; halving takes away less each time.",
        ),
        Misconception(
            "divided-by-multiples",
            lambda epoch: 0.25 / max(1, 2 * _steps(epoch)),
            "The rate is divided by 2, 4 and 6; halving three times divides by 8.",
        ),
        Misconception(
            "doubled",
            lambda epoch: 0.25 * 2 ** _steps(epoch),
            "The rate is doubled at each step.",
        ),
        Misconception("constant", lambda epoch: 0.25, "The rate never changes."),
    ),
    hints=(
        "How often has the rate been halved? Never up to epoch 9, once from 10, twice from 14, three "
        "times from 18.",
        "In Python a comparison counts as 0 or 1: sum(epoch >= at for at in (10, 14, 18)).",
        "k halvings divide by 2**k.",
    ),
)
