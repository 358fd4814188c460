"""Lab 02, the pooling layer: six exercises."""

from __future__ import annotations

from course_utils.exercises.pooling_layer.average import AVG_POOL
from course_utils.exercises.pooling_layer.cost import CONV_MULTIPLY_ADDS
from course_utils.exercises.pooling_layer.gradient import MAX_POOL_GRADIENT
from course_utils.exercises.pooling_layer.maximum import MAX_POOL
from course_utils.exercises.pooling_layer.shapes import POOLED_SHAPE
from course_utils.exercises.pooling_layer.shift import SHIFT_AGREEMENT

EXERCISES = (MAX_POOL, AVG_POOL, POOLED_SHAPE, MAX_POOL_GRADIENT, CONV_MULTIPLY_ADDS, SHIFT_AGREEMENT)
