"""Exercise 3.5: the learning rate of an epoch."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw


def lenet5_learning_rate(epoch: int) -> float:
    """Return the learning rate of `epoch` (from 0): 0.25, divided by 1.5 every 5 epochs."""
    return 0.25 / 1.5 ** (epoch // 5)


def probes(seed: int) -> Sequence[Probe]:
    """Ask around the first steps, then at epochs that differ from seed to seed."""
    draw = Draw(seed)
    asked = {
        0: "the first epoch",
        4: "the last epoch before the first step",
        5: "the first step",
        9: "the last epoch before the second step",
        10: "the second step",
        draw.between(11, 13): "between two steps",
        15: "the third step",
        draw.between(16, 24): "later",
        29: "the lecture's last epoch",
    }
    return tuple(Probe((epoch,), note=note) for epoch, note in asked.items())


EXERCISE = Exercise(
    number="3.5",
    points=1,
    reference=lenet5_learning_rate,
    probes=probes,
    section="Lab 03, Learning rate",
    misconceptions=(
        Misconception(
            "decayed-every-epoch",
            lambda epoch: 0.25 / 1.5**epoch,
            "The rate is divided every epoch, not every fifth epoch.",
        ),
        Misconception(
            "decayed-continuously",
            lambda epoch: 0.25 / 1.5 ** (epoch / 5),
            "The rate falls a little every epoch; the lecture's stays the same for five epochs and then "
            "steps down.",
        ),
        Misconception(
            "one-epoch-early",
            lambda epoch: 0.25 / 1.5 ** ((epoch + 1) // 5),
            "Every step comes one epoch early, as if the first epoch were number 1.",
        ),
        Misconception(
            "one-epoch-late",
            lambda epoch: 0.25 / 1.5 ** (max(epoch - 1, 0) // 5),
            "Every step comes one epoch late.",
        ),
        Misconception(
            "four-epochs-early",
            lambda epoch: 0.25 / 1.5 ** -(-epoch // 5),
            "The steps come in epochs 1, 6, 11, …, four epochs early. A loop that asks i % 5 == 0 does that: "
            "0 % 5 is 0, too.",
        ),
        *(
            Misconception(
                f"divided-{most}-times",
                lambda epoch, most=most: 0.25 / 1.5 ** min(epoch // 5, most),
                f"The rate is divided {most} times and then stays the same: the later steps are missing.",
            )
            for most in (2, 3, 4)
        ),
        Misconception(
            "shifted-below-zero",
            lambda epoch: 0.25 / 1.5 ** ((epoch - 1) // 5),
            "1 is subtracted from the epoch: the steps come one epoch late, and epoch 0 falls before the "
            "first period.",
        ),
        Misconception(
            "divided-by-two",
            lambda epoch: 0.25 / 2 ** (epoch // 5),
            "The rate is halved, as in the old exercise text; the lecture and its solution divide by 1.5.",
        ),
        Misconception(
            "divided-once",
            lambda epoch: 0.25 if epoch < 5 else 0.25 / 1.5,
            "The rate is divided once and then stays the same: the later steps are missing.",
        ),
        Misconception(
            "only-in-every-fifth-epoch",
            lambda epoch: 0.25 / 1.5 if epoch and epoch % 5 == 0 else 0.25,
            "Only every fifth epoch has a lower rate; the epochs after it are back at 0.25.",
        ),
        Misconception(
            "only-in-every-fifth-epoch-and-the-first",
            lambda epoch: 0.25 / 1.5 if epoch % 5 == 0 else 0.25,
            "Only every fifth epoch has a lower rate, epoch 0 among them; the epochs after it are back at "
            "0.25.",
        ),
        Misconception(
            "multiplied-by-the-steps",
            lambda epoch: 0.25 / 1.5 * (epoch // 5),
            "The rate is multiplied by the number of steps, so it is 0 at first and then grows; k steps "
            "divide it by 1.5**k.",
        ),
        Misconception(
            "power-of-the-quotient",
            lambda epoch: (0.25 / 1.5) ** (epoch // 5),
            "The whole fraction is raised to the number of steps; only 1.5 is.",
        ),
        Misconception(
            "always-zero",
            lambda epoch: 0.0,
            "The rate is 0 in every epoch. // does that, because it divides without fractions: it is for "
            "epoch // 5 alone, in parentheses.",
        ),
        Misconception(
            "zero-from-the-first-step",
            lambda epoch: 0.25 if epoch < 5 else 0.0,
            "The rate is 0 from the first step on. // does that, because it divides without fractions.",
        ),
        Misconception(
            "divided-by-multiples",
            lambda epoch: 0.25 / (1.5 * (epoch // 5)) if epoch >= 5 else 0.25,
            "The divisor grows by 1.5 at each step (1.5, 3, 4.5 …); steps compound: each divides the rate "
            "before it.",
        ),
        Misconception(
            "divided-by-multiples-of-0",
            lambda epoch: 0.25 / (1.5 * (epoch // 5)),
            "The divisor grows by 1.5 at each step, and is 0 before the first; steps compound: each divides "
            "the rate before it.",
        ),
        Misconception(
            "subtracted",
            lambda epoch: 0.25 - (0.25 - 0.25 / 1.5) * (epoch // 5),
            "Each step subtracts the same amount, so the rate reaches 0 and goes below it.",
        ),
        Misconception(
            "growing", lambda epoch: 0.25 * 1.5 ** (epoch // 5), "The rate grows: it is multiplied by 1.5."
        ),
        Misconception(
            "every-ten-epochs",
            lambda epoch: 0.25 / 1.5 ** (epoch // 10),
            "The steps come every 10 epochs, not every 5.",
        ),
        Misconception(
            "remainder",
            lambda epoch: 0.25 / 1.5 ** (epoch % 5),
            "The remainder (%) counts the epochs within a period; the quotient (//) counts the steps.",
        ),
        Misconception(
            "one-step-too-many",
            lambda epoch: 0.25 / 1.5 ** (epoch // 5 + 1),
            "The rate is divided once too often, from the first epoch on.",
        ),
        Misconception("constant", lambda epoch: 0.25, "The rate never changes."),
    ),
    hints=(
        "How often has the rate been divided? Never in epochs 0 to 4, once in 5 to 9, twice in 10 to 14.",
        "The integer division epoch // 5 counts them.",
        "Each step divides by 1.5, so k steps divide by 1.5**k.",
    ),
)
