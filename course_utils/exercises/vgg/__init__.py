"""The exercises of lab 04: VGG, its parameters and baselines, receptive fields and residual blocks."""

from __future__ import annotations

from course_utils.exercises.model import Exercise
from course_utils.exercises.vgg import block, network, parameters, perceptron, receptive, residual, schedule

EXERCISES: tuple[Exercise, ...] = (
    block.EXERCISE,
    network.EXERCISE,
    parameters.EXERCISE,
    schedule.EXERCISE,
    perceptron.EXERCISE,
    receptive.EXERCISE,
    residual.EXERCISE,
)
