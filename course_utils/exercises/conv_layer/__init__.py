"""Lab 01, the convolutional layer: ten exercises."""

from __future__ import annotations

from course_utils.exercises.conv_layer.channels import CONV2D
from course_utils.exercises.conv_layer.cross_correlation import CROSS_CORRELATE
from course_utils.exercises.conv_layer.depth import FUSE_FILTERS
from course_utils.exercises.conv_layer.im2col import IM2COL
from course_utils.exercises.conv_layer.matmul import CONV2D_AS_MATMUL
from course_utils.exercises.conv_layer.padding import ZERO_PAD
from course_utils.exercises.conv_layer.parameters import COUNT_CONV_PARAMETERS
from course_utils.exercises.conv_layer.single import CONV2D_SINGLE
from course_utils.exercises.conv_layer.sizes import OUTPUT_SIZE, SAME_PADDING

EXERCISES = (
    CROSS_CORRELATE,
    ZERO_PAD,
    SAME_PADDING,
    OUTPUT_SIZE,
    CONV2D_SINGLE,
    CONV2D,
    IM2COL,
    CONV2D_AS_MATMUL,
    FUSE_FILTERS,
    COUNT_CONV_PARAMETERS,
)
