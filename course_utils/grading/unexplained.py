"""Wrong answers that no misconception explains, without names: what the checks can learn from a class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from course_utils import exercises
from course_utils.grading.grades import Mark, UnexplainedAnswer


def find_unexplained(marks: Sequence[Mark], code: Mapping[str, str]) -> set[UnexplainedAnswer]:
    """Return the unexplained answers of one submission.

    A cell that is not Python is left out: Python itself says why.

    Parameters
    ----------
    marks : sequence of Mark
    code : mapping
        The student's code by exercise, without comments.
    """
    found = set()
    for mark in marks:
        wrong = mark.status in ("wrong", "error") and mark.misconception is None
        if wrong and code.get(mark.exercise):
            reason = "".join(c for c in " ".join(mark.reason.split()) if c.isprintable())
            found.add(UnexplainedAnswer(mark.exercise, code[mark.exercise], reason))
    return found


def as_toml(answers: Iterable[UnexplainedAnswer]) -> str:
    r"""Return answers as in ``tests/answers``, in the course's order; the cause is left to a teacher.

    Examples
    --------
    >>> code = "def same_padding(f):\n    return f / 3"
    >>> print(as_toml([UnexplainedAnswer("same_padding", code, "It returns 1.667; expected 2.")]))
    # same_padding
    # The check says: It returns 1.667; expected 2.
    [[answer]]
    verdict = "wrong"
    cause = ""
    code = '''
    def same_padding(f):
        return f / 3
    '''
    <BLANKLINE>
    """
    places = {name: place for place, name in enumerate(exercises.names())}
    return "\n".join(map(_table, sorted(answers, key=lambda answer: (places[answer.exercise], answer))))


def _table(answer: UnexplainedAnswer) -> str:
    # Unparsed code has no other character that TOML refuses in a literal string.
    plain = "'''" not in answer.code
    code = f"'''\n{answer.code}\n'''" if plain else json.dumps(f"{answer.code}\n", ensure_ascii=False)
    return (
        f"# {answer.exercise}\n# The check says: {answer.reason}\n"
        f'[[answer]]\nverdict = "wrong"\ncause = ""\ncode = {code}\n'
    )
