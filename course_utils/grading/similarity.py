"""Submissions whose answers look alike: for a human to read side by side, never a verdict."""

from __future__ import annotations

import ast
import hashlib
import heapq
import io
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from course_utils.grading.source import NOT_PARSED, without_comments

SHINGLE = 8
"""Tokens in a row that are compared together."""
MOST = 5_000
"""Shingles of an answer that are kept; no honest one has as many."""
LIKELY = 0.8
FEWEST = 60
_COMMON = 0.1
_FEW = 6


@dataclass(frozen=True)
class SimilarPair:
    """Two students whose answers to one lab look alike.

    Attributes
    ----------
    lab : int
    first, second : str
    share : float
        How much of their answers, normalised, is the same (0 to 1), over all exercises together.
    exercises : tuple of str
        Where they are similar.
    """

    lab: int
    first: str
    second: str
    share: float
    exercises: tuple[str, ...]


def find_similar(
    lab: int,
    answers: Mapping[str, Mapping[str, frozenset[int]]],
    known: Mapping[str, Iterable[str]],
) -> list[SimilarPair]:
    """Return pairs of students whose answers are very similar, the most similar first.

    Names, comments, docstrings, literal text and layout do not count. Neither does what anyone might have
    written: the stub, the reference, and what many students share. Short answers have few right forms, so
    the exercises of a lab are compared together, and only where enough is left of both.

    Parameters
    ----------
    lab : int
    answers : mapping
        By student: the `shingles` of each answer, by exercise.
    known : mapping
        By exercise: sources that never count.
    """
    given = {
        exercise: set().union(*(shingles(source) for source in sources))
        for exercise, sources in known.items()
    }
    prints = {
        student: {exercise: marks - given.get(exercise, set()) for exercise, marks in theirs.items()}
        for student, theirs in answers.items()
    }
    holders: dict[tuple[str, int], list[str]] = defaultdict(list)
    for student, theirs in prints.items():
        for exercise, marks in theirs.items():
            for mark in marks:
                holders[exercise, mark].append(student)
    most = max(_FEW, round(_COMMON * len(answers)))
    rare = {place: students for place, students in holders.items() if len(students) <= most}
    sizes = Counter(student for students in rare.values() for student in students)
    shared: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (exercise, _), students in rare.items():
        for pair in combinations(sorted(students), 2):
            shared[pair] += 1
            where[pair][exercise] += 1
    pairs = []
    for (first, second), common in shared.items():
        smaller = min(sizes[first], sizes[second])
        share = common / (sizes[first] + sizes[second] - common)
        if smaller >= FEWEST and share >= LIKELY:
            places = tuple(sorted(where[first, second]))
            pairs.append(SimilarPair(lab, first, second, round(share, 3), places))
    return sorted(pairs, key=lambda pair: (-pair.share, pair.first, pair.second))


def shingles(source: str) -> frozenset[int]:
    """Return digests of the runs of tokens of a normalised answer; empty if it is not Python."""
    tokens = _tokens(source)
    runs = (" ".join(tokens[i : i + SHINGLE]) for i in range(max(len(tokens) - SHINGLE + 1, 0)))
    digests = {int(hashlib.sha256(run.encode()).hexdigest()[:15], 16) for run in runs}
    # Of two answers that are alike, the smallest digests are alike, too.
    return frozenset(heapq.nsmallest(MOST, digests))


def _tokens(source: str) -> list[str]:
    try:
        text = ast.unparse(_Plain().visit(ast.parse(without_comments(source))))
        words = tokenize.generate_tokens(io.StringIO(text).readline)
        return [word.string for word in words if word.type in (tokenize.NAME, tokenize.NUMBER, tokenize.OP)]
    except (*NOT_PARSED, tokenize.TokenError):
        return []


class _Plain(ast.NodeTransformer):
    """Drops what a copyist changes first: names, text, annotations, docstrings."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name("v", node.ctx), node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.copy_location(ast.arg("v", None), node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.copy_location(ast.Constant(0 if isinstance(node.value, str) else node.value), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name, node.returns = "v", None
        body = [s for s in node.body if not _is_text(s)]
        node.body = body or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value, lineno=node.lineno), node)


def _is_text(statement: ast.stmt) -> bool:
    # Docstrings have become the constant 0 by now, as any bare constant statement.
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
