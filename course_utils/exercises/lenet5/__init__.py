"""The exercises of lab 03: LeNet5, its parameters, and how it is trained and evaluated."""

from __future__ import annotations

from course_utils.exercises.lenet5 import data, evaluation, measures, network, parameters, schedule, step
from course_utils.exercises.model import Exercise

EXERCISES: tuple[Exercise, ...] = (
    data.EXERCISE,
    network.EXERCISE,
    parameters.EXERCISE,
    measures.EXERCISE,
    schedule.EXERCISE,
    step.EXERCISE,
    evaluation.EXERCISE,
)
