"""No slip in a reference goes unnoticed: every mutant is rejected, but for those that compute the same."""

import pytest
from mutation import mutants
from proof import is_accepted
from right_ways.equivalents import EQUIVALENT

from course_utils import exercises


def survivors(exercise_id):
    reference = exercises.get(exercise_id).reference
    found = mutants(reference)
    return [m.name for m in found if all(is_accepted(exercise_id, m.call, seed) for seed in range(3))]


@pytest.mark.slow
@pytest.mark.parametrize("exercise_id", exercises.names())
def test_every_mutant_is_rejected_or_known_to_be_equivalent(exercise_id):
    assert sorted(survivors(exercise_id)) == sorted(EQUIVALENT.get(exercise_id, {}))


def test_the_list_of_equivalents_names_known_exercises():
    assert set(EQUIVALENT) <= set(exercises.names())


def test_the_mutator_makes_what_it_promises():
    made = {m.name.split("  ->  ")[1] for m in mutants(exercises.get("output_size").reference)}
    assert "return (n + 2 * p + f) // s + 1" in made  # another operator
    assert "return (n + 2 * p - f) // s + 2" in made  # another constant
    assert "return (n + 2 * p - f) // s" in made  # a term dropped
    assert "return (n + 2 * p - f) / s + 1" in made  # another division
    swapped = {m.name.split("  ->  ")[1] for m in mutants(exercises.get("cross_correlate").reference)}
    assert "for i in range(width - kh + 1):" in swapped  # height and width exchanged
    assert "out = torch.zeros(width - kw + 1, height - kh + 1)" in swapped  # arguments exchanged
