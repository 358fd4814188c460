"""The checks themselves are proved: what is right is accepted, what is wrong is rejected and named."""

import dataclasses
from collections import Counter
from importlib import import_module

import numpy as np
import pytest
from proof import SEEDS, cheap_first, expected, is_accepted, observed_wrong, probes, right_ways, told_apart

from course_utils import exercises
from course_utils.exercises import Observation, judge
from course_utils.exercises.guard import same_random_state

IDS = exercises.names()
WAYS = right_ways()

every_exercise = pytest.mark.parametrize("exercise_id", IDS)


def test_exercises_are_numbered_in_order_within_their_lab():
    found = [exercises.get(name) for name in IDS]
    counts = Counter(exercise.lab for exercise in found)
    assert list(counts) == list(exercises.LABS)
    assert [exercise.number for exercise in found] == [
        f"{lab}.{k}" for lab, count in counts.items() for k in range(1, count + 1)
    ]


@every_exercise
def test_an_exercise_has_a_module_that_is_named_after_it(exercise_id):
    exercise = exercises.get(exercise_id)
    module = import_module(exercise.reference.__module__)
    assert module.__name__.rpartition(".")[2] == exercise_id and module.EXERCISE is exercise


@pytest.mark.slow
@every_exercise
def test_every_misconception_sends_to_a_section_of_its_lab(exercise_id, repository):
    for misconception in exercises.get(exercise_id).misconceptions:
        lab, _, section = misconception.section.partition(", ")
        (text,) = (repository / "solutions").glob(f"{lab.removeprefix('Lab ')}_*.py")
        assert f"# ## {section}\n" in text.read_text(encoding="utf-8"), misconception.section


@every_exercise
def test_an_exercise_is_complete(exercise_id):
    exercise = exercises.get(exercise_id)
    assert exercise.id == exercise_id and exercise.points >= 0
    assert len(exercise.misconceptions) >= 3
    assert len({m.id for m in exercise.misconceptions}) == len(exercise.misconceptions)
    assert all(m.sentence.endswith(".") and m.section.startswith("Lab 0") for m in exercise.misconceptions)
    assert 2 <= len(exercise.hints) <= 4
    assert all(probe.note for probe in exercise.probes(0)[1:])


@pytest.mark.slow
@every_exercise
def test_the_reference_is_accepted(exercise_id):
    exercise = exercises.get(exercise_id)
    verdict = exercises.evaluate(exercise_id, exercise.reference)
    assert verdict.status == "correct" and verdict.earned == exercise.points, verdict.message
    for seed in SEEDS:
        assert is_accepted(exercise_id, exercise.reference, seed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exercise_id", "way"),
    [(exercise_id, way) for exercise_id in IDS for way in WAYS.get(exercise_id, [])],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_right_way_is_accepted_for_every_seed(exercise_id, way):
    verdict = exercises.evaluate(exercise_id, way)
    assert verdict.status == "correct", verdict.message
    for seed in SEEDS:
        assert is_accepted(exercise_id, way, seed), seed


@every_exercise
def test_there_are_two_right_ways_beside_the_reference(exercise_id):
    assert len(WAYS.get(exercise_id, [])) >= 2


@pytest.mark.slow
@every_exercise
@same_random_state()
def test_every_misconception_is_rejected_and_named_for_every_seed(exercise_id):
    exercise = exercises.get(exercise_id)
    for seed in SEEDS:
        order = cheap_first(exercise_id, seed)
        right = [Observation("returned", value=value) for value in expected(exercise_id, seed)]

        def seen(misconception, number, seed=seed):
            return observed_wrong(exercise_id, seed, misconception.id, number)

        for place, mine in enumerate(exercise.misconceptions):
            assert any(told_apart(exercise, right[n], seen(mine, n)) for n in order), (
                f"seed {seed}: {mine.id} passes as right"
            )
            # The first that agrees is the one that the verdict names; two may share a sentence on purpose.
            for other in exercise.misconceptions[:place]:
                assert other.sentence == mine.sentence or any(
                    told_apart(exercise, seen(other, n), seen(mine, n)) for n in order
                ), f"seed {seed}: {mine.id} is {other.id}"


@pytest.mark.slow
@every_exercise
def test_the_verdict_names_every_misconception(exercise_id):
    exercise = exercises.get(exercise_id)
    sentence = {m.id: m.sentence for m in exercise.misconceptions}
    for misconception in exercise.misconceptions:
        asked = probes(exercise_id, 0)
        observations = [observed_wrong(exercise_id, 0, misconception.id, n) for n in range(len(asked))]
        verdict = judge(exercise, asked, observations)
        assert verdict.status in ("wrong", "error")
        assert verdict.earned == 0
        assert sentence.get(verdict.misconception) == misconception.sentence, verdict.message
        assert misconception.sentence in verdict.message
        assert verdict.counterexample is not None
        assert verdict.section == next(
            m.section for m in exercise.misconceptions if m.id == verdict.misconception
        )


def filled(value, number):
    """A value of the same form that holds one number everywhere."""
    if isinstance(value, dict):
        return {key: filled(item, number) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(filled(item, number) for item in value)
    if isinstance(value, np.ndarray):
        return np.full_like(value, number)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return type(value)(number)
    return value


@pytest.mark.slow
@every_exercise
@pytest.mark.parametrize("number", [0, 1])
def test_results_of_zeros_or_ones_are_rejected(exercise_id, number):
    exercise = exercises.get(exercise_id)
    for seed in SEEDS:
        right = expected(exercise_id, seed)
        assert any(exercise.compare(value, filled(value, number)) for value in right)
    constant = [Observation("returned", value=filled(value, number)) for value in expected(exercise_id, 0)]
    assert judge(exercise, probes(exercise_id, 0), constant).status == "wrong"


def nothing(*arguments, **keywords):
    return None


def identity(*arguments, **keywords):
    return arguments[0] if arguments else None


def always_zero(*arguments, **keywords):
    return 0


def always_one(*arguments, **keywords):
    return 1.0


def always_true(*arguments, **keywords):
    return True


class EqualToAll:
    def __init__(self, *arguments, **keywords):
        pass

    def __call__(self, *arguments, **keywords):
        return EqualToAll()

    def __eq__(self, other):
        return True

    __hash__ = None


@pytest.mark.slow
@every_exercise
@pytest.mark.parametrize(
    "candidate",
    [nothing, identity, always_zero, always_one, always_true, EqualToAll],
    ids=lambda c: c.__name__,
)
def test_empty_answers_are_rejected(exercise_id, candidate):
    verdict = exercises.evaluate(exercise_id, candidate)
    expected_status = ("not started",) if candidate is nothing else ("wrong", "error")
    assert verdict.status in expected_status and verdict.earned == 0, verdict.message
    assert not any(is_accepted(exercise_id, candidate, seed) for seed in SEEDS)


@pytest.mark.slow
@every_exercise
def test_no_result_of_one_probe_answers_another(exercise_id):
    """An answer that looks up the first case's result cannot be right: at least two results differ."""
    values = expected(exercise_id, 0)
    if len(values) < 2:
        pytest.skip("one case, and no argument that could vary")
    exercise = exercises.get(exercise_id)
    assert any(exercise.compare(values[0], value) for value in values[1:])


@pytest.mark.slow
@every_exercise
def test_the_seed_changes_what_is_asked(exercise_id):
    if not any(probe.arguments or probe.keywords for probe in probes(exercise_id, 0)):
        pytest.skip("it takes no arguments")

    def text(seed):
        return str([dataclasses.astuple(probe)[:2] for probe in probes(exercise_id, seed)])

    first = text(SEEDS[0])
    assert any(text(seed) != first for seed in SEEDS[1:])
