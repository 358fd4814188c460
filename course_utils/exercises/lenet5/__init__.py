"""The exercises of lab 03: LeNet5, its parameters, and how it is trained and evaluated."""

from __future__ import annotations

from course_utils.exercises.lenet5 import (
    error_rate,
    evaluate,
    lenet5,
    lenet5_learning_rate,
    lenet5_parameters,
    overfit_batch,
    pixel_statistics,
    train_step,
)
from course_utils.exercises.model import Exercise

EXERCISES: tuple[Exercise, ...] = (
    pixel_statistics.EXERCISE,
    lenet5.EXERCISE,
    lenet5_parameters.EXERCISE,
    error_rate.EXERCISE,
    lenet5_learning_rate.EXERCISE,
    train_step.EXERCISE,
    evaluate.EXERCISE,
    overfit_batch.EXERCISE,
)
