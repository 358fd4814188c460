"""The exercises of lab 04: VGG, its parameters and baselines, receptive fields and residual blocks."""

from __future__ import annotations

from course_utils.exercises.model import Exercise
from course_utils.exercises.vgg import (
    make_mlp,
    receptive_field,
    residual_block,
    vgg,
    vgg_block,
    vgg_learning_rate,
    vgg_parameters,
)

EXERCISES: tuple[Exercise, ...] = (
    vgg_block.EXERCISE,
    vgg.EXERCISE,
    vgg_parameters.EXERCISE,
    vgg_learning_rate.EXERCISE,
    make_mlp.EXERCISE,
    receptive_field.EXERCISE,
    residual_block.EXERCISE,
)
