"""The exercises of lab 01: the convolutional layer, from one kernel to a matrix product."""

from __future__ import annotations

from course_utils.exercises.conv_layer import (
    conv2d,
    conv2d_as_matmul,
    conv2d_gradient,
    conv2d_single,
    count_conv_parameters,
    cross_correlate,
    fuse_filters,
    im2col,
    output_size,
    same_padding,
    zero_pad,
)
from course_utils.exercises.model import Exercise

EXERCISES: tuple[Exercise, ...] = (
    cross_correlate.EXERCISE,
    zero_pad.EXERCISE,
    same_padding.EXERCISE,
    output_size.EXERCISE,
    conv2d_single.EXERCISE,
    conv2d.EXERCISE,
    im2col.EXERCISE,
    conv2d_as_matmul.EXERCISE,
    conv2d_gradient.EXERCISE,
    fuse_filters.EXERCISE,
    count_conv_parameters.EXERCISE,
)
