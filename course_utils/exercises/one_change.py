"""Small changes to an answer's source: where one of them makes it right, it is what was wrong."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from course_utils.exercises import judging
from course_utils.exercises.guard import RunawayError, guarded
from course_utils.exercises.model import Exercise, Probe, Verdict
from course_utils.exercises.own_source import Definition, definition_of, functions_of
from course_utils.exercises.values import plain

SECONDS = 0.7
_LONGEST = 70
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_OPERATIONS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.MatMult: "@",
    ast.Pow: "**",
    ast.Mod: "%",
}
# A power of large numbers may take minutes, in which nothing can stop it.
_INSTEAD = [operation for operation in _OPERATIONS if operation is not ast.Pow]
_ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.MatMult, ast.Pow, ast.Mod)
_FUNCTIONS = [
    {"max", "min", "mean", "sum", "amax", "amin", "median", "prod", "std", "var", "len"},
    {"argmax", "argmin", "max", "topk", "argsort"},
    {"zeros", "ones", "empty", "zeros_like", "ones_like"},
    {"floor", "ceil", "round", "int", "trunc"},
    {"max_pool2d", "avg_pool2d"},
    {"MaxPool2d", "AvgPool2d"},
    {"train", "eval"},
    {"permute", "reshape", "transpose"},
]
_AMOUNTS = ast.Name | ast.BinOp | ast.Subscript | ast.Constant | ast.Attribute
_MISSING = {
    "argmax(dim=1)": "holds scores where the classes with the highest ones are needed",
    "t()": "has to be transposed",
    "float()": "has to be converted to float",
    "sum()": "has to be added up",
    "mean()": "has to be averaged",
    "flatten()": "has to be flattened",
    "unsqueeze(0)": "lacks a dimension",
    "clone()": "has to be copied first",
}
"""What a tensor may lack, and how it is told."""
_SEVERAL = ((1, 2), (2, 3), (0, 2, 3), (-2, -1), (0, 1, 2, 3), (0, 1))
_DIMENSIONS = ("dim", "dims", "axis", "start_dim", "end_dim", "dim0", "dim1")


class Change(NamedTuple):
    """An answer with one change.

    Attributes
    ----------
    sentence : str
        What is wrong, if the change makes the answer right.
    answer : callable
        The changed function or class.
    """

    sentence: str
    answer: Any


class _Edit(NamedTuple):
    """What to put in a node's place; `rank` is small for what beginners get wrong often."""

    rank: int
    holder: Any
    place: str | int
    new: Any
    sentence: str


def look_closer(exercise: Exercise, answer: Any, verdict: Verdict, *, seed: int = 0) -> Verdict:
    """Add to a verdict that names no cause what is wrong, if one small change makes the answer right."""
    known = verdict.misconception or verdict.lent or verdict.stopped_after
    if verdict.status not in ("wrong", "error") or known:
        return verdict
    try:
        with guarded(SECONDS):
            failing, expected = next(
                (probe, right)
                for probe, right in _expected(exercise, seed)
                if not _is_right(exercise, answer, probe, right)
            )
            for sentence, changed in changes(answer):
                if _is_right(exercise, changed, failing, expected) and (
                    judging.evaluate(exercise, changed, seed=seed, seconds=SECONDS).status == "correct"
                ):
                    told = f"One thing is wrong: {sentence[0].lower()}{sentence[1:]}"
                    return replace(verdict, reason=f"{verdict.reason} {told}".lstrip())
    except (RunawayError, StopIteration):
        pass
    return verdict


def _expected(exercise: Exercise, seed: int) -> Iterator[tuple[Probe, Any]]:
    for probe in exercise.probes(seed):
        yield probe, plain(exercise.observe(exercise.reference, copy.deepcopy(probe)))


def _is_right(exercise: Exercise, candidate: Any, probe: Probe, expected: Any) -> bool:
    """Whether a candidate is right on one probe; for many candidates, with nothing restored after each."""
    try:
        return exercise.compare(expected, plain(exercise.observe(candidate, copy.deepcopy(probe)))) is None
    except (RunawayError, KeyboardInterrupt):
        raise
    except BaseException:
        return False


def changes(answer: Any) -> Iterator[Change]:
    """Yield an answer with one small change each, the likeliest first; nothing where its source is unknown.

    Examples
    --------
    >>> list(changes(max))
    []
    """
    found = definition_of(answer)
    if found is None:
        return
    around = functions_of(answer)[0].__globals__
    tree = copy.deepcopy(found)
    tree.decorator_list = []
    module = ast.Module([tree], [])
    for edit in sorted(_edits(tree), key=lambda edit: edit.rank):
        before = _get(edit.holder, edit.place)
        _set(edit.holder, edit.place, edit.new)
        try:
            for new in edit.new if isinstance(edit.new, list) else [edit.new]:
                ast.fix_missing_locations(new)
            code = compile(module, "<changed>", "exec", dont_inherit=True)
            namespace = dict(around)
            exec(code, namespace)
        except Exception:  # it is no program, or its defaults or decorators fail
            continue
        finally:
            _set(edit.holder, edit.place, before)
        yield Change(edit.sentence, namespace[answer.__name__])


def _get(holder: Any, place: str | int) -> Any:
    return holder[place] if isinstance(place, int) else getattr(holder, place)


def _set(holder: Any, place: str | int, value: Any) -> None:
    if isinstance(place, int):
        holder[place] = value
    else:
        setattr(holder, place, value)


def _edits(tree: Definition) -> Iterator[_Edit]:
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        names = _names(function)
        counts = {n.id for place in _counting(function) for n in ast.walk(place) if isinstance(n, ast.Name)}
        constants = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
        numbers = {value for value in constants if type(value) is int}
        counted = [name for name in names if name in counts]
        # A network of other sizes may need more memory than there is.
        found = _Names(names, counted, sorted(numbers), sizes=not isinstance(tree, ast.ClassDef))
        yield from _of_body(function, "body", found, in_loop=False)


class _Names(NamedTuple):
    """What may be put in another's place.

    Attributes
    ----------
    every : list of str
        The variables of the function.
    counts : list of str
        Those of them that count pixels, rows or steps.
    numbers : list of int
        The whole numbers in it.
    sizes : bool
        Whether sizes may change.
    """

    every: list[str]
    counts: list[str]
    numbers: list[int]
    sizes: bool


def _counting(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield where numbers are counts: indices, the arguments of `range`, loops' variables, sizes."""
    for node in ast.walk(function):
        match node:
            case ast.Subscript(slice=place) | ast.For(target=place) | ast.Return(ast.BinOp() as place):
                yield place
            case ast.Call(func=ast.Name("range")):
                yield node
            case ast.Assign([ast.Tuple() as place], _):
                yield place


def _names(function: ast.FunctionDef) -> list[str]:
    given = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    bound = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return [name for name in dict.fromkeys(given + bound) if name != "self"]


def _of_body(holder: ast.AST, field: str, names: _Names, *, in_loop: bool) -> Iterator[_Edit]:
    """Yield changes to the statements of a body, and to what is in them."""
    body: list[ast.stmt] = getattr(holder, field)
    for k, statement in enumerate(body):
        if isinstance(statement, Definition) or _is_text(statement):
            continue
        text = _short(statement)
        yield from _of_place(holder, field, k)
        if len(body) > 1 and not isinstance(statement, ast.Return | ast.Raise):  # a stub's line has a card
            rest = [*body[:k], *body[k + 1 :]]
            yield _Edit(5, holder, field, rest, f"`{text}` should not be there.")
        for said, rank, new in _of_assignment(statement, in_loop=in_loop):
            yield _Edit(rank, body, k, new, f"In `{text}`, {said}.")
        for name, value in ast.iter_fields(statement):
            if name in ("body", "orelse", "finalbody", "handlers", "target", "targets", "items"):
                continue
            if isinstance(value, ast.expr):
                yield from _of_expression(statement, name, value, text, names, statement)
        for target in getattr(statement, "targets", [getattr(statement, "target", None)]):
            if isinstance(target, ast.Subscript):
                yield from _of_expression(target, "slice", target.slice, text, names, target)
        if isinstance(statement, ast.If):
            turned = ast.UnaryOp(ast.Not(), statement.test)
            yield _Edit(2, statement, "test", turned, f"In `{text}`, the condition is the wrong way round.")
        loops = in_loop or isinstance(statement, ast.For | ast.While)
        for name in ("body", "orelse"):
            if getattr(statement, name, None):
                yield from _of_body(statement, name, names, in_loop=loops)
        if isinstance(statement, ast.With):
            for item in statement.items:
                yield from _of_expression(item, "context_expr", item.context_expr, text, names, item)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _of_place(holder: ast.AST, field: str, k: int) -> Iterator[_Edit]:
    """Yield bodies in which a statement stands elsewhere: in or out of the loop beside it, or later."""
    body: list[ast.stmt] = getattr(holder, field)
    statement, text = body[k], _short(body[k])
    following = body[k + 1] if k + 1 < len(body) else None
    if isinstance(statement, ast.For) and len(statement.body) > 1:
        first, last = statement.body[0], statement.body[-1]
        for moved, new in (
            (first, [first, _with_body(statement, statement.body[1:])]),
            (last, [_with_body(statement, statement.body[:-1]), last]),
        ):
            said = f"`{_short(moved)}` is done in every round of `{text}`; once, outside of it, is right."
            yield _Edit(2, holder, field, [*body[:k], *new, *body[k + 1 :]], said)
    if isinstance(following, ast.For) and not isinstance(statement, ast.For):
        inside = _with_body(following, [statement, *following.body])
        said = f"`{text}` is done once, before `{_short(following)}`; it belongs into every round."
        yield _Edit(2, holder, field, [*body[:k], inside, *body[k + 2 :]], said)
    if isinstance(statement, ast.For) and following and not isinstance(following, ast.For):
        inside = _with_body(statement, [*statement.body, following])
        said = f"`{_short(following)}` is done once, after `{text}`; it belongs into every round."
        yield _Edit(2, holder, field, [*body[:k], inside, *body[k + 2 :]], said)
    if following and not isinstance(following, ast.Return):
        said = f"`{_short(following)}` has to come before `{text}`."
        yield _Edit(3, holder, field, [*body[:k], following, statement, *body[k + 2 :]], said)


def _with_body(loop: ast.For, body: list[ast.stmt]) -> ast.For:
    changed = copy.copy(loop)
    changed.body = body
    return changed


def _of_assignment(statement: ast.stmt, *, in_loop: bool) -> Iterator[tuple[str, int, ast.stmt]]:
    match statement:
        case ast.Assign([ast.Name() | ast.Attribute() | ast.Subscript() as target], value) if in_loop:
            yield "`=` replaces what earlier rounds left", 1, ast.AugAssign(target, ast.Add(), value)
        case ast.AugAssign(target, op, value):
            symbol = _OPERATIONS.get(type(op), "")
            yield f"`{symbol}=` keeps what was there before", 2, ast.Assign([target], value)
            for other in _INSTEAD:
                if not isinstance(op, other):
                    said = f"`{symbol}=` is not the operation that is needed"
                    yield said, 2, ast.AugAssign(target, other(), value)


def _of_expression(
    holder: Any, place: str | int, node: ast.expr, text: str, names: _Names, parent: ast.AST
) -> Iterator[_Edit]:
    """Yield changes to an expression and to what is in it; `text` is its statement."""
    for rank, new, said in (*_of_node(node, names, parent), *_of_amount(node, names, parent)):
        yield _Edit(rank, holder, place, new, f"In `{text}`, {said}.")
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr) and not (name == "func" and isinstance(value, ast.Name)):
            yield from _of_expression(node, name, value, text, names, node)
        elif isinstance(value, list):
            for k, item in enumerate(value):
                if isinstance(item, ast.expr):
                    yield from _of_expression(value, k, item, text, names, node)
                elif isinstance(item, ast.keyword):
                    yield from _of_expression(item, "value", item.value, text, names, item)


def _but(node: ast.expr, **fields: Any) -> Any:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _of_node(node: ast.expr, names: _Names, parent: ast.AST) -> Iterator[tuple[int, ast.expr, str]]:
    text = _short(node)
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            said = f"`{_COMPARISONS[type(op)]}` is not the comparison that is needed"
            for comparison in _COMPARISONS:
                if not isinstance(op, comparison):
                    yield 0, _but(node, ops=[comparison()]), said
        case ast.Constant(value=bool(value)):
            yield 1, ast.Constant(not value), f"`{value}` should be the other of True and False"
        case ast.Constant(value=int(value)) if names.sizes:
            said = _wrong_number(node, parent)
            for number in dict.fromkeys(
                (value + 1, value - 1, 0, 1, 2, 3, -1, -2, 2 * value, *names.numbers)
            ):
                if number != value:
                    yield 1, ast.Constant(number), said
            if isinstance(parent, ast.keyword) and parent.arg in _DIMENSIONS:
                yield from _other_dimensions(node, parent)
        case ast.Name(id=name) if name in names.every:
            for other in names.every:
                if other != name:
                    yield 2, ast.Name(other, ast.Load()), f"`{name}` is not the variable that is needed"
            for call, said in _MISSING.items():
                if not isinstance(parent, ast.Attribute):
                    yield 3, ast.parse(f"{name}.{call}", mode="eval").body, f"`{name}` {said}"
        case ast.BinOp(left=left, op=op, right=right):
            symbol = _OPERATIONS.get(type(op), "")
            said = f"the `{symbol}` of `{text}` is not the operation that is needed"
            for operation in _INSTEAD:
                if not isinstance(op, operation):
                    yield 1, _but(node, op=operation()), said
            if isinstance(op, _ORDERED):
                yield 1, ast.BinOp(right, op, left), f"the two sides of `{text}` have to change places"
            yield from _other_brackets(left, op, right)
            yield 3, left, f"in `{text}`, `{symbol} {_short(right)}` is too much"
            yield 3, right, f"in `{text}`, `{_short(left)} {symbol}` is too much"
        case ast.IfExp(test=test, body=ast.BinOp(left=left, op=op, right=right), orelse=orelse):
            last = ast.IfExp(test, right, orelse)
            said = f"the `if` decides about all of `{_short(node.body)}`: parentheses are missing"
            yield 0, ast.BinOp(left, op, last), said
        case ast.UnaryOp(operand=operand):
            yield 1, operand, f"the sign of `{text}` is wrong"
        case ast.Tuple() if isinstance(parent, ast.keyword) and parent.arg in _DIMENSIONS:
            yield from _other_dimensions(node, parent)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for rank, new, said in _of_both(parts, names):
                yield rank, _but(node, elts=new), said
            for k in range(len(parts) - 1):
                new = _but(node, elts=[*parts[:k], parts[k + 1], parts[k], *parts[k + 2 :]])
                yield 2, new, f"the order in `{text}` is wrong"
        case ast.Slice(lower=lower, upper=upper):
            if lower:
                yield 3, _but(node, lower=None), f"the start of `{text}` is wrong"
            if upper:
                yield 3, _but(node, upper=None), f"the end of `{text}` is wrong"
        case ast.Call(func=called, args=given):
            yield from _of_call(node, called, given, text, names)


def _other_dimensions(node: ast.expr, keyword: ast.keyword) -> Iterator[tuple[int, ast.expr, str]]:
    for several in _SEVERAL:
        said = f"`{_short(keyword)}` does not name the dimensions that are needed"
        yield 1, ast.Tuple([ast.Constant(dim) for dim in several], ast.Load()), said


def _other_brackets(left: ast.expr, op: ast.operator, right: ast.expr) -> Iterator[tuple[int, ast.expr, str]]:
    """Yield what a sum and a product beside it mean with other parentheses."""
    sums, products = ast.Add | ast.Sub, ast.Mult | ast.Div | ast.FloorDiv
    if isinstance(op, sums) and isinstance(right, ast.BinOp) and isinstance(right.op, products):
        whole = ast.BinOp(left, op, right.left)
        yield 1, ast.BinOp(whole, right.op, right.right), f"`{_short(whole)}` needs parentheses"
    if isinstance(op, products) and isinstance(left, ast.BinOp) and isinstance(left.op, sums):
        said = f"the parentheses around `{_short(left)}` are in the wrong place"
        yield 1, ast.BinOp(left.left, left.op, ast.BinOp(left.right, op, right)), said
        yield 1, ast.BinOp(ast.BinOp(left.left, op, right), left.op, left.right), said


def _of_call(
    node: ast.Call, called: ast.expr, given: list[ast.expr], text: str, names: _Names
) -> Iterator[tuple[int, ast.expr, str]]:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    for family in _FUNCTIONS:
        for other in sorted(family - {name}) if name in family else ():
            function = _but(called, **{"attr" if isinstance(called, ast.Attribute) else "id": other})
            yield 1, _but(node, func=function), f"`{name}` is not the right function here"
    for rank, new, said in _of_both(given, names):
        yield rank, _but(node, args=new), said
    for k in range(len(given) - 1) if names.sizes else ():
        swapped = [*given[:k], given[k + 1], given[k], *given[k + 2 :]]
        yield 1, _but(node, args=swapped), f"the arguments of `{text}` are in the wrong order"
    if len(given) == 1 and not node.keywords:
        yield 3, given[0], f"`{name}` should not be applied to `{_short(given[0])}`"
    if isinstance(called, ast.Attribute):
        yield 3, called.value, f"`.{name}` should not be applied to `{_short(called.value)}`"


def _of_both(parts: list[ast.expr], names: _Names) -> Iterator[tuple[int, list[ast.expr], str]]:
    """Yield the last two parts of a list, height and width mostly, changed alike."""
    if len(parts) < 2 or not names.sizes:
        return
    *others, one, two = parts
    if type(one) is not type(two) or not isinstance(one, ast.Slice | ast.Name | ast.BinOp):
        return
    if isinstance(one, ast.Slice):
        for end in ("lower", "upper"):
            pair = [getattr(one, end), getattr(two, end)]
            if pair[0] and pair[1]:
                for rank, (first, second), said in _of_both(pair, names):
                    new = [*others, _but(one, **{end: first}), _but(two, **{end: second})]
                    yield rank, new, said
        return
    said = f"`{_short(one)}` and `{_short(two)}`"
    for op in (ast.Add(), ast.Sub()):
        added = [ast.Constant(1), *(ast.Name(name, ast.Load()) for name in names.counts)]
        for first, second in product(added, repeat=2):
            unit = isinstance(first, ast.Constant)
            if unit == isinstance(second, ast.Constant):
                why = "are off by one" if unit else "lack a term: something is added or subtracted"
                yield 3, [*others, ast.BinOp(one, op, first), ast.BinOp(two, op, second)], f"{said} {why}"


def _wrong_number(node: ast.Constant, parent: ast.AST) -> str:
    match parent:
        case ast.keyword(arg=name) if name in _DIMENSIONS:
            return f"`{name}={node.value!r}` is not the dimension that is needed"
        case ast.Subscript(value=ast.Attribute(attr="shape")):
            return f"`{_short(parent)}` is not the size that is needed"
    around = _short(parent)
    where = f" in `{around}`" if len(around) < _LONGEST / 2 else ""
    return f"the {node.value!r}{where} is not the number that is needed"


def _of_amount(node: ast.expr, names: _Names, parent: ast.AST) -> Iterator[tuple[int, ast.expr, str]]:
    """Yield what a number may lack or have too much of: one, or a term or a factor with a variable."""
    around = ast.Slice | ast.Subscript | ast.BinOp | ast.Return | ast.Assign | ast.Call | ast.keyword
    if not names.sizes or not isinstance(parent, around) or not isinstance(node, _AMOUNTS):
        return
    if isinstance(node, ast.Constant) and not isinstance(node.value, int):
        return
    text = _short(node)
    if not isinstance(node, ast.Constant):
        for op in (ast.Add(), ast.Sub()):
            yield 2, ast.BinOp(node, op, ast.Constant(1)), f"`{text}` is off by one"
        yield 4, ast.BinOp(node, ast.FloorDiv(), ast.Constant(2)), f"`{text}` is twice what is needed"
        yield 4, ast.BinOp(node, ast.Mult(), ast.Constant(2)), f"`{text}` is half of what is needed"
    for name in names.counts:
        other = ast.Name(name, ast.Load())
        yield 4, ast.BinOp(node, ast.Mult(), other), f"`{text}` lacks a factor"
        for op in (ast.Add(), ast.Sub()):
            yield 4, ast.BinOp(node, op, other), f"`{text}` lacks a term: something is added or subtracted"
            twice = ast.BinOp(ast.Constant(2), ast.Mult(), other)
            yield 6, ast.BinOp(node, op, twice), f"`{text}` lacks a term: something is added or subtracted"
        yield 4, ast.BinOp(node, ast.FloorDiv(), other), f"`{text}` lacks a division"


def _short(node: ast.AST) -> str:
    """Write a node, and of a statement its first line."""
    text = ast.unparse(node).split("\n")[0].removesuffix(":")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
