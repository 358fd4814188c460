"""The exercises of lab 04: VGG, its parameters and baselines, and what networks after it are made of."""

from __future__ import annotations

from course_utils.exercises.model import Exercise
from course_utils.exercises.vgg import (
    batch_norm,
    make_mlp,
    pointwise_head,
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
    batch_norm.EXERCISE,
    pointwise_head.EXERCISE,
    residual_block.EXERCISE,
)
