"""No slip in a right answer and no simple function goes unnoticed, but for those that compute the same.

Whatever the checks accept is compared with the reference on many more inputs, on which all right ways agree.
Here a sample is tried; ``tests/benchmarks/proof.py`` tries everything.
"""

from itertools import islice

import pytest
from mutation import mutants
from one_liners import one_liners
from proof import all_right, drawn_cases, is_right, passes_wrongly

from course_utils import exercises

EVERY = 10

every_exercise = pytest.mark.parametrize("exercise_id", exercises.names())


@pytest.mark.slow
@every_exercise
def test_no_mutant_of_the_reference_passes_wrongly(exercise_id):
    found = mutants(exercises.get(exercise_id).reference)
    assert not [mutant.name for mutant in found if passes_wrongly(exercise_id, mutant.call)]


@pytest.mark.slow
@every_exercise
def test_no_mutant_of_a_right_way_passes_wrongly(exercise_id):
    found = (mutant for way in all_right(exercise_id)[1:] for mutant in mutants(way))
    sample = islice(found, 0, None, EVERY)
    assert not [mutant.name for mutant in sample if passes_wrongly(exercise_id, mutant.call)]


@pytest.mark.slow
@every_exercise
def test_no_one_line_function_passes_wrongly(exercise_id):
    sample = islice(one_liners(exercise_id, 200), 0, None, EVERY)
    assert not [function.name for function in sample if passes_wrongly(exercise_id, function.call)]


def test_a_wrong_rule_that_no_probe_asks_for_is_found():
    exercise = exercises.get("same_padding")
    assert exercise.reference(3) == exercise.reference(4)
    assert not is_right(exercise, lambda f: min(f // 2, 25), drawn_cases("same_padding"))
    assert is_right(exercise, lambda f: f // 2, drawn_cases("same_padding"))


def test_the_mutator_makes_what_it_promises():
    made = {m.name.split("  ->  ")[1] for m in mutants(exercises.get("output_size").reference)}
    assert "return (n + 2 * p + f) // s + 1" in made  # another operator
    assert "return (n + 2 * p - f) // s + 2" in made  # another constant
    assert "return (n + 2 * p - f) // s" in made  # a term dropped
    assert "return (n + 2 * p - f) / s + 1" in made  # another division
    swapped = {m.name.split("  ->  ")[1] for m in mutants(exercises.get("cross_correlate").reference)}
    assert "for i in range(width - kh + 1):" in swapped  # height and width exchanged
    assert "out = torch.zeros(width - kw + 1, height - kh + 1)" in swapped  # arguments exchanged


@pytest.mark.slow
def test_the_mutator_changes_a_lambda():
    assert [mutant.call(5) for mutant in mutants(lambda f: f // 2)] == [2.5, 10, 5, 2, 1, 5]


def test_the_same_one_line_functions_are_drawn_each_time():
    names = [function.name for function in one_liners("output_size", 200)]
    assert len(set(names)) == 200
    assert names == [function.name for function in one_liners("output_size", 200)]
