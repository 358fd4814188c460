"""The exercises of lab 02: the pooling layer, its gradient, its cost, and what it does to a shift."""

from __future__ import annotations

from course_utils.exercises.model import Exercise
from course_utils.exercises.pooling_layer import (
    avg_pool,
    conv_multiply_adds,
    max_pool,
    max_pool_gradient,
    pooled_shape,
    shift_agreement,
    shift_equivariance,
)

EXERCISES: tuple[Exercise, ...] = (
    max_pool.EXERCISE,
    avg_pool.EXERCISE,
    pooled_shape.EXERCISE,
    max_pool_gradient.EXERCISE,
    conv_multiply_adds.EXERCISE,
    shift_agreement.EXERCISE,
    shift_equivariance.EXERCISE,
)
