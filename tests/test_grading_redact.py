"""The redacted course that a student's kernel imports: it contains every probe and no answer."""

from __future__ import annotations

import ast
import inspect
import json
import re
import types
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import prepared
import pytest
from proof import right_ways

from course_utils import exercises
from course_utils.errors import ExerciseError
from course_utils.exercises import judge
from course_utils.exercises.crossing import from_json
from course_utils.grading import redact
from course_utils.grading.sandbox.launch import environment

pytestmark = pytest.mark.slow

SEED = 5
OBSERVE = """
import json, sys
import torch
from importlib import import_module
from course_utils import exercises
from course_utils.exercises.crossing import to_json
from course_utils.exercises.observing import observe
torch.set_num_threads(1)
import pkgutil, right_ways
labs = {module.name for module in pkgutil.iter_modules(right_ways.__path__)}
ways_of = {name: w for lab in labs for name, w in import_module(f"right_ways.{lab}").RIGHT_WAYS.items()}
for name, ways in ways_of.items():
    exercise = exercises.get(name)
    for way in ways[:2]:
        probes = exercise.probes(int(sys.argv[1]))
        seen = [to_json(observe(exercise, way, probe, limit=60)) for probe in probes]
        print(json.dumps([name, way.__name__, seen]))
"""


@pytest.fixture(scope="module")
def files():
    return redact.redacted_sources()


def functions_of(answer):
    """Yield the code of an answer: of a function and what is inside it, of a class' own methods."""
    if isinstance(answer, type):
        for value in vars(answer).values():
            if isinstance(value, types.FunctionType):
                yield from codes(value.__code__)
    elif isinstance(answer, dict):
        for value in answer.values():
            yield from functions_of(value)
    elif isinstance(answer, types.FunctionType):
        yield from codes(inspect.unwrap(answer).__code__)
        for cell in inspect.unwrap(answer).__closure__ or ():
            yield from functions_of(cell.cell_contents)


def codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def essence(code):
    constants = [c for c in code.co_consts if not isinstance(c, (types.CodeType, str)) and c is not None]
    return code.co_code, code.co_names, code.co_varnames, repr(constants)


def answers():
    for name in exercises.names():
        exercise = exercises.get(name)
        yield name, exercise.reference
        for answer in (*exercise.also_right, *(m.wrong for m in exercise.misconceptions)):
            yield name, answer


def test_no_body_of_an_answer_is_in_it(files):
    kept = {essence(code) for path, text in files.items() for code in codes(compile(text, path, "exec"))}
    found = [
        (name, code.co_qualname)
        for name, answer in answers()
        for code in functions_of(answer)
        if essence(code) in kept
    ]
    assert not found


def test_no_name_of_a_reference_is_in_it(files):
    defined = {
        (path.removesuffix(".py").replace("/", "."), node.name)
        for path, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    references = {exercises.get(name).reference for name in exercises.names()}
    assert not defined & {(reference.__module__, reference.__qualname__) for reference in references}


def test_no_misconception_and_no_hint_is_in_it(files):
    whole = "\n".join(files.values())
    for name in exercises.names():
        exercise = exercises.get(name)
        assert not [m.id for m in exercise.misconceptions if m.sentence in whole]
        assert not [hint for hint in exercise.hints if hint in whole]


def through(folder, code, *arguments):
    """What code prints that imports the redacted course."""
    redact.write_redacted(folder)
    code += f"\nimport course_utils\nassert course_utils.__file__.startswith({str(folder)!r})"
    done = prepared.run(code, *arguments, env={**environment(), "PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_right_answers_observed_through_it_are_judged_right(tmp_path, files):
    told = through(tmp_path, OBSERVE, str(SEED))
    seen = [json.loads(line) for line in told.splitlines()]
    assert {name for name, _, _ in seen} == set(exercises.names()) == set(right_ways())
    for name, way, observations in seen:
        exercise = exercises.get(name)
        verdict = judge(exercise, exercise.probes(SEED), [from_json(text) for text in observations])
        assert verdict.status == "correct", (name, way, verdict.message)


def test_signatures_are_those_of_the_references(tmp_path):
    code = (
        "import inspect\nfrom course_utils import exercises\n"
        "for n in exercises.names(): print(n, list(inspect.signature(exercises.get(n).reference).parameters))"
    )
    for line in through(tmp_path, code).splitlines():
        name, _, parameters = line.partition(" ")
        assert ast.literal_eval(parameters) == list(
            inspect.signature(exercises.get(name).reference).parameters
        )


def test_labs_first_cells_run_with_it(tmp_path, repository):
    imports = [
        ast.unparse(statement)
        for path in sorted((repository / "solutions").glob("0*.py"))
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith("course_utils")
    ]
    code = "\n".join([*imports, "check.begin(lab=1)", "check.x(figures.y(load_dataset('mnist').train[0]))"])
    through(tmp_path, code)


@pytest.fixture
def probes_of_output_size(monkeypatch):
    """Have the exercise's module say that its probes are another expression."""

    def become(expression, before=""):
        module = redact.Redaction().modules["course_utils.exercises.conv_layer.output_size"]
        text = before + re.sub(r"probes=\w+,", f"probes={expression},", module.path.read_text())
        original = Path.read_text

        def read(path, *a, **k):
            return text if path == module.path else original(path, *a, **k)

        monkeypatch.setattr(Path, "read_text", read)
        return import_module(module.name)

    return become


def test_probes_that_need_the_reference_are_refused(probes_of_output_size):
    probes_of_output_size("lambda seed: output_size(3, 3)")
    with pytest.raises(ExerciseError, match="output_size"):
        redact.redacted_sources()


def test_probes_that_need_a_misconception_without_a_name_are_refused(probes_of_output_size, monkeypatch):
    module = probes_of_output_size("lambda seed: wrong(seed)", before="wrong = lambda n: n\n")
    misconception = exercises.get("output_size").misconceptions[0]
    monkeypatch.setattr(module, "wrong", misconception.wrong, raising=False)
    with pytest.raises(ExerciseError, match="needs wrong"):
        redact.redacted_sources()


def test_an_exercise_in_another_form_is_refused(monkeypatch):
    bank = {name: exercises.get(name) for name in exercises.names()}

    def made_elsewhere(n):
        return n

    bank["made_elsewhere"] = replace(bank["output_size"], reference=made_elsewhere)
    monkeypatch.setattr(exercises, "names", lambda: list(bank))
    monkeypatch.setattr(exercises, "get", bank.__getitem__)
    with pytest.raises(ExerciseError, match="made_elsewhere"):
        redact.redacted_sources()
