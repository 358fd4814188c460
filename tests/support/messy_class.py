"""A messy but honest class: notebooks as students hand them in, each with what a fair human takes off.

All answers are right unless `lost` names the exercise. What happened is the function's name.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from submissions import cell_of, lab_notebook, solutions, submission

Notebook = nbformat.NotebookNode
MISSING = "a_package_that_nobody_has"


@dataclass(frozen=True)
class Messy:
    """One submission.

    Attributes
    ----------
    name : str
    lab : int
    lost : tuple of str
        The exercises that get no points.
    unclear : tuple of str
        Those of them that a human must decide.
    content : bytes
        The file.
    """

    name: str
    lab: int
    lost: tuple[str, ...]
    unclear: tuple[str, ...]
    content: bytes


CLASS: dict[str, Messy] = {}
Change = Callable[[Notebook], bytes | None]


def student(*lost: str, lab: int = 1, unclear: tuple[str, ...] = ()) -> Callable[[Change], Change]:
    """Add what a function makes of the answered notebook to the class."""

    def add(change: Change) -> Change:
        notebook = submission(solutions(lab), lab)
        content = change(notebook) or json.dumps(notebook).encode()
        CLASS[change.__name__] = Messy(change.__name__, lab, (*lost, *unclear), unclear, content)
        return change

    return add


def place(notebook: Notebook, name: str) -> int:
    """Where a cell stands."""
    return notebook.cells.index(cell_of(notebook, name))


def above(notebook: Notebook, name: str, *sources: str) -> None:
    """Put code cells above a cell."""
    at = place(notebook, name)
    notebook.cells[at:at] = map(new_code_cell, sources)


def below(notebook: Notebook, name: str, *sources: str) -> None:
    """Put code cells below a cell."""
    at = place(notebook, name) + 1
    notebook.cells[at:at] = map(new_code_cell, sources)


def append(notebook: Notebook, name: str, source: str) -> None:
    """Add code at the end of a cell."""
    cell_of(notebook, name).source += f"\n\n{source}"


def prepend(notebook: Notebook, name: str, source: str) -> None:
    """Add code at the start of a cell."""
    cell = cell_of(notebook, name)
    cell.source = f"{source}\n{cell.source}"


def stub(notebook: Notebook, *names: str, lab: int = 1) -> list[str]:
    """Make answers untouched again; return them."""
    answers = [cell_of(notebook, name).source for name in names]
    for name in names:
        cell_of(notebook, name).source = cell_of(lab_notebook(lab), name).source
    return answers


def whole(notebook: Notebook, name: str, source: str) -> None:
    """Answer an exercise in other words."""
    cell_of(notebook, name).source = source


PAD = "def zero_pad(image, padding):\n    return F.pad(image, {})"
SIZE = "def output_size(n, f, p=0, s=1):\n    return {}"
NAMES = tuple(solutions(1))


# ------------------------------------------------------------------------------------ helpers and constants


@student()
def helper_above(nb: Notebook) -> None:
    above(nb, "zero_pad", "def sides(padding):\n    return [padding] * 4\n\nprint(sides(1))")
    whole(nb, "zero_pad", PAD.format("sides(padding)"))


@student()
def helper_below(nb: Notebook) -> None:
    nb.cells.append(new_code_cell("def sides(padding):\n    return [padding] * 4"))
    whole(nb, "zero_pad", PAD.format("sides(padding)"))


@student()
def helper_of_a_helper(nb: Notebook) -> None:
    nb.cells.insert(0, new_code_cell("FOUR = 4\ndef many(x):\n    return [x] * FOUR"))
    above(nb, "zero_pad", "sides = lambda padding: many(padding)")
    whole(nb, "zero_pad", PAD.format("sides(padding)"))


@student()
def helper_overwritten_further_down(nb: Notebook) -> None:
    helper_above(nb)
    nb.cells.append(new_code_cell("sides = 3\nF = fuse_filters(torch.ones(2, 2), torch.ones(2, 2))"))


@student()
def helper_hidden_by_a_variable(nb: Notebook) -> None:
    helper_above(nb)
    above(nb, "zero_pad", "sides = 3")


@student()
def table_filled_by_a_loop(nb: Notebook) -> None:
    above(nb, "same_padding", "halves = {}\nfor f in range(100):\n    halves[f] = f // 2")
    whole(nb, "same_padding", "def same_padding(f):\n    return halves[f]")


@student()
def global_counter(nb: Notebook) -> None:
    above(nb, "output_size", "calls = 0")
    source = SIZE.format("(n + 2 * p - f) // s + 1")
    whole(nb, "output_size", source.replace("return", "global calls\n    calls += 1\n    return"))


@student()
def device_chosen_in_a_cell(nb: Notebook) -> None:
    above(nb, "zero_pad", "device = 'cuda' if torch.cuda.is_available() else 'cpu'")
    whole(
        nb,
        "zero_pad",
        PAD.format("[padding] * 4).to(device").replace("F.pad(image,", "F.pad(image.to(device),"),
    )


@student()
def imports_in_a_cell(nb: Notebook) -> None:
    nb.cells.insert(1, new_code_cell("import math, numpy as np\nfrom typing import Optional"))
    whole(
        nb, "output_size", SIZE.format("math.floor((n + 2 * p - f) / s) + 1").replace("n, ", "n: Optional, ")
    )


@student()
def imports_at_the_bottom(nb: Notebook) -> None:
    imports_in_a_cell(nb)
    nb.cells.append(nb.cells.pop(1))


@student()
def star_imports(nb: Notebook) -> None:
    nb.cells.insert(1, new_code_cell("from math import *"))
    nb.cells.append(new_code_cell("from torch.nn.functional import *\nfrom torch import *"))
    whole(nb, "output_size", SIZE.format("floor((n + 2 * p - f) / s) + 1"))


@student()
def decorator_of_their_own(nb: Notebook) -> None:
    timed = (
        "import functools, time\n\ndef timed(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n"
        "        start = time.time()\n        result = f(*a, **k)\n        print(time.time() - start)\n"
        "        return result\n    return inner"
    )
    above(nb, "conv2d", timed)
    prepend(nb, "conv2d", "@timed")


@student()
def decorated_below(nb: Notebook) -> None:
    append(nb, "conv2d", "conv2d = torch.no_grad()(conv2d)")


@student()
def one_function_under_two_names(nb: Notebook) -> None:
    source = cell_of(nb, "conv2d_single").source.replace("def conv2d_single", "def my_conv")
    above(nb, "cross_correlate", f"import functools\n\n{source}")
    whole(nb, "cross_correlate", "cross_correlate = functools.partial(my_conv, padding=0)")
    whole(nb, "conv2d_single", "conv2d_single = my_conv")


@student(lab=2)
def static_methods(nb: Notebook) -> None:
    names = list(solutions(2))
    functions = stub(nb, *names, lab=2)
    inside = "\n".join(f"    @staticmethod\n    {f.replace(chr(10), chr(10) + '    ')}\n" for f in functions)
    titles = "\n".join(f"{name} = Lab2.{name}" for name in names)
    nb.cells.append(new_code_cell(f"class Lab2:\n{inside}\n\n{titles}"))


# ------------------------------------------------------------------------------------ where the answer stands


@student()
def all_below_the_stubs(nb: Notebook) -> None:
    for name, answer in zip(NAMES, stub(nb, *NAMES), strict=True):
        below(nb, name, answer)


@student()
def above_the_stub(nb: Notebook) -> None:
    above(nb, "zero_pad", *stub(nb, "zero_pad"))


@student()
def one_big_cell_first(nb: Notebook) -> None:
    whole(nb, NAMES[0], "\n\n\n".join(stub(nb, *NAMES)))


@student()
def one_big_cell_last(nb: Notebook) -> None:
    nb.cells.append(new_code_cell("\n\n\n".join(stub(nb, *NAMES))))


@student()
def in_the_check_cell(nb: Notebook) -> None:
    prepend(nb, "check_output_size", stub(nb, "output_size")[0])


@student()
def copied_and_mended(nb: Notebook) -> None:
    again = copy.deepcopy(cell_of(nb, "im2col"))
    nb.cells.insert(place(nb, "im2col") + 1, again)
    whole(nb, "im2col", "def im2col(x, f, padding=0, stride=1):\n    return x")


@student("fuse_filters")
def copied_and_made_worse(nb: Notebook) -> None:
    below(nb, "fuse_filters", "def fuse_filters(first, second):\n    return first * second")


@student()
def three_attempts(nb: Notebook) -> None:
    prepend(nb, "output_size", "\n".join(map(SIZE.format, ("n - f", "n + 2 * p - f"))))


@student()
def in_a_markdown_cell(nb: Notebook) -> None:
    at = place(nb, "conv2d")
    nb.cells[at] = new_markdown_cell(nb.cells[at].source, metadata=nb.cells[at].metadata)


@student()
def in_a_raw_cell_without_its_id(nb: Notebook) -> None:
    at = place(nb, "zero_pad")
    nb.cells[at] = new_raw_cell(nb.cells[at].source)


@student()
def draft_in_markdown(nb: Notebook) -> None:
    nb.cells.append(
        new_markdown_cell("My first try:\n\n```python\ndef zero_pad(image, padding):\n    pass\n```")
    )


@student()
def reordered(nb: Notebook) -> None:
    nb.cells.reverse()


@student("im2col")
def split_midway(nb: Notebook) -> None:
    head, rest = cell_of(nb, "im2col").source.split("\n    ", 2)[::2]
    whole(nb, "im2col", f"{head}\n    half = 1")
    below(nb, "im2col", f"    {rest}")


@student("im2col")
def never_started(nb: Notebook) -> None:
    stub(nb, "im2col")


@student("zero_pad")
def deleted(nb: Notebook) -> None:
    nb.cells.pop(place(nb, "zero_pad"))


# -------------------------------------------------------------------------- around and after the definition


@student()
def sleeps_and_trains(nb: Notebook) -> None:
    append(nb, "conv2d", "import time\ntime.sleep(3600)")
    append(nb, "im2col", "w = torch.rand(3, 3)\nwhile True:\n    w -= 0.1 * conv2d_single(w, w)")
    append(nb, "zero_pad", "exit()")
    prepend(nb, "fuse_filters", "input('press enter')")
    prepend(nb, "cross_correlate", "assert torch.cuda.is_available()")


@student()
def asked_for_a_gpu(nb: Notebook) -> None:
    append(nb, "conv2d", "conv2d(torch.rand(3, 8, 8).cuda(), torch.rand(2, 3, 3, 3).cuda())")
    whole(
        nb,
        "zero_pad",
        PAD.format("[padding] * 4).cuda(").replace("F.pad(image,", "F.pad(image.to('cuda:0'),"),
    )


@student()
def overwritten_by_results(nb: Notebook) -> None:
    append(nb, "output_size", "output_size = output_size(227, 11, 0, 4)")
    below(nb, "zero_pad", "zero_pad = zero_pad(torch.ones(2, 2), 1)", "im2col = 3\nconv2d = torch.ones(1)")
    nb.cells.append(new_code_cell("fuse_filters = cross_correlate(image, kernel)\ndel same_padding"))


@student()
def builtins_hidden(nb: Notebook) -> None:
    nb.cells.insert(1, new_code_cell("sum = 0\nrange = (0, 1)\nlist = [1]\nlen = 6\nzip = max = min = None"))


@student()
def magics(nb: Notebook) -> None:
    prepend(nb, "conv2d", "%%time")
    prepend(nb, "same_padding", "%%timeit")
    prepend(nb, "im2col", "%matplotlib inline\n!pip install torch")
    append(nb, "zero_pad", "%timeit zero_pad(image, 2)")


@student()
def breakpoint_left(nb: Notebook) -> None:
    source = SIZE.format("(n + 2 * p - f) // s + 1")
    whole(nb, "output_size", source.replace("return", "breakpoint()\n    return"))


@student()
def packages_that_are_not_used(nb: Notebook) -> None:
    prepend(nb, "zero_pad", f"import {MISSING}, math")
    source = SIZE.format("(n + 2 * p - f) // s + 1")
    whole(nb, "output_size", source.replace("return", f"import {MISSING} as mine\n    return"))


@student(unclear=("output_size",))
def a_package_that_is_used(nb: Notebook) -> None:
    nb.cells.insert(1, new_code_cell(f"from {MISSING} import out_len"))
    whole(nb, "output_size", SIZE.format("out_len(n, f, p, s)"))


@student(unclear=NAMES)
def answers_in_a_module(nb: Notebook) -> None:
    nb.cells = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") not in NAMES]
    nb.cells.insert(1, new_code_cell(f"from {MISSING} import *"))


# ----------------------------------------------------------------------------------- names and signatures


@student()
def camel_case(nb: Notebook) -> None:
    cell = cell_of(nb, "output_size")
    cell.source = cell.source.replace("output_size", "outputSize")


@student()
def more_parameters(nb: Notebook) -> None:
    cell = cell_of(nb, "conv2d")
    cell.source = cell.source.replace("stride=1)", "stride=1, debug=False)")


@student()
def an_unknown_hint(nb: Notebook) -> None:
    whole(nb, "same_padding", "def same_padding(f: Int) -> Int:\n    return f // 2")


@student("count_conv_parameters")
def lost_default(nb: Notebook) -> None:
    cell = cell_of(nb, "count_conv_parameters")
    cell.source = cell.source.replace("bias=True", "bias")


@student("conv2d_as_matmul")
def syntax_error(nb: Notebook) -> None:
    cell = cell_of(nb, "conv2d_as_matmul")
    cell.source = cell.source.replace(")", "", 1)


# ----------------------------------------------------------------------------------------- kinds of files


def percent(nb: Notebook) -> str:
    """A notebook as Jupytext writes it."""
    code = "# %%\n{}\n", "# %% [markdown]\n# {}\n"
    cells = ((c.cell_type == "code", c.source) for c in nb.cells)
    parts = [
        code[0].format(s) if is_code else code[1].format(s.replace("\n", "\n# ")) for is_code, s in cells
    ]
    return "# ---\n# jupyter:\n#   jupytext: {}\n# ---\n\n" + "\n".join(parts)


@student()
def jupytext(nb: Notebook) -> bytes:
    return percent(nb).encode()


@student()
def nbconvert_script(nb: Notebook) -> bytes:
    return percent(nb).replace("# %%\n", "# In[ ]:\n\n\n").replace("# %% [markdown]\n", "").encode()


@student()
def old_format(nb: Notebook) -> bytes:
    cells: list[dict[str, Any]] = [dict(cell) for cell in nb.cells]
    for cell in cells:
        cell["input"] = cell.pop("source")
    return json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}], "metadata": {}}).encode()


@student()
def utf_16(nb: Notebook) -> bytes:
    return json.dumps(nb, ensure_ascii=False, indent=1).replace("\n", "\r\n").encode("utf-16")


@student()
def latin_1(nb: Notebook) -> bytes:
    return json.dumps(nb, ensure_ascii=False).encode("latin-1", "replace")


@student()
def padded_with_nuls(nb: Notebook) -> bytes:
    return json.dumps(nb).encode("utf-8-sig") + b"\0" * 512


@student()
def saved_twice(nb: Notebook) -> bytes:
    text = json.dumps(nb)
    return (text + text[-300:]).encode()


@student()
def ids_lost_and_below_the_stub(nb: Notebook) -> None:
    below(nb, "conv2d", *stub(nb, "conv2d"))
    for cell in nb.cells:
        cell.metadata = {}
        cell.source = cell.source.replace("\n", "\r\n")
