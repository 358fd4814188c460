"""Observations cross between processes as JSON; what comes back is not trusted."""

import json
import math

import numpy as np
import pytest
import torch

from course_utils import exercises
from course_utils.errors import ExerciseError
from course_utils.exercises import Observation, judge, observe
from course_utils.exercises.compare import difference
from course_utils.exercises.crossing import from_json, to_json
from course_utils.exercises.values import Unreadable, plain


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**200,
        0.1,
        "text",
        [1, [2.5, None]],
        (1, (2,)),
        {"a": np.ones((2, 3), np.float32), 3: [np.zeros(0)]},
        np.arange(6).reshape(2, 3).T,
        np.array(3.5),
        np.array([True, False]),
        np.arange(3, dtype=">f4"),
        Unreadable("a function"),
    ],
    ids=repr,
)
def test_every_plain_value_survives(value):
    back = from_json(
        to_json(Observation("returned", value, changed_inputs=("x",), cut_off=("y",), printed="ü"))
    )
    assert difference(value, back.value) is None
    assert type(back.value) is type(value)
    assert back.changed_inputs == ("x",) and back.cut_off == ("y",) and back.printed == "ü"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_odd_floats_survive(value):
    back = from_json(to_json(Observation("returned", value=value))).value
    assert back == value or (math.isnan(back) and math.isnan(value))


@pytest.mark.parametrize("exercise_id", ["conv2d", "output_size", "pooled_shape", "lenet5", "train_step"])
def test_judging_after_the_crossing_is_the_same(exercise_id):
    exercise = exercises.get(exercise_id)
    probes = exercise.probes(0)
    for candidate in (exercise.reference, exercise.misconceptions[0].wrong):
        seen = [observe(exercise, candidate, probe) for probe in probes]
        crossed = [from_json(to_json(observation)) for observation in seen]
        assert judge(exercise, probes, crossed).message == judge(exercise, probes, seen).message


def test_everything_that_plain_makes_can_cross():
    for value in (
        torch.ones(2, dtype=torch.bfloat16),
        torch.ones(1) > 0,
        np.float16(1),
        object(),
        {1: {2: 3}},
        "é",
    ):
        to_json(Observation("returned", value=plain(value)))


def written(**changes):
    fields = json.loads(to_json(Observation("returned", value=1)))
    return json.dumps({**fields, **changes})


ARRAY = {"array": "AAAA", "dtype": "|u1", "shape": [3]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "3",
        written(status="correct"),
        written(status=None),
        written(call=3),
        written(changed_inputs="x"),
        written(cut_off=3),
        written(changed_inputs=[["x"]]),
        written(value={"tuple": 3}),
        written(value={"dict": [[1]]}),
        written(value={"dict": [[[1], 1]]}),
        written(value={"object": "os.system"}),
        written(value={"float": "one"}),
        written(value=[0] * 10_001),
        written(value={**ARRAY, "shape": [4]}),
        written(value={**ARRAY, "shape": [-3]}),
        written(value={**ARRAY, "shape": [10**9, 10**9]}),
        written(value={**ARRAY, "shape": ["3"]}),
        written(value={**ARRAY, "dtype": "O"}),
        written(value={**ARRAY, "dtype": "|V3"}),
        written(value={**ARRAY, "array": "A*A="}),
        written().replace("1", "[" * 5000 + "]" * 5000),
        '{"status"' * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ExerciseError, match="not an observation"):
        from_json(text)


def test_an_intact_array_is_read():
    assert from_json(written(value=ARRAY)).value.tolist() == [0, 0, 0]


def test_long_texts_are_cut():
    assert len(from_json(written(printed="x" * 10**6)).printed) <= 8_000
