"""Exercise 1.9, optional: the gradients of a convolution, for its input and for its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from course_utils.exercises.altered import altered
from course_utils.exercises.compare import Difference, difference
from course_utils.exercises.conv_layer.im2col import im2col
from course_utils.exercises.conv_layer.sliding import convolve
from course_utils.exercises.model import Exercise, Misconception, Probe, Window
from course_utils.exercises.probes import Draw
from course_utils.exercises.windows import span

Gradients = tuple[Tensor, Tensor]


def conv2d_gradient(x: Tensor, weight: Tensor, grad_output: Tensor) -> Gradients:
    """Return the gradients for x and for weight of a convolution without padding, with stride 1.

    Its output is filters times patches, so the one factor's gradient is grad_output times the other. Every
    patch then hands its gradient back to the pixels that it was copied from.
    """
    f = weight.shape[-1]
    rows, columns = grad_output.shape[1:]
    grad = grad_output.flatten(1)
    grad_weight = grad @ im2col(x, f).T
    patches = weight.flatten(1).T @ grad
    grad_x = torch.zeros(x.shape)
    for i in range(rows):
        for j in range(columns):
            grad_x[:, i : i + f, j : j + f] += patches[:, i * columns + j].reshape(-1, f, f)
    return grad_x, grad_weight.reshape(weight.shape)


def compare_gradients(expected: Gradients, actual: Any) -> Difference | None:
    """Compare the gradient for x first, then the one for weight, and say which differs."""
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in (expected, actual)):
        return difference(expected, actual)
    for name, right, mine in zip(("x", "weight"), expected, actual, strict=True):
        if found := difference(right, mine):
            sentence = f"The gradient for {name}: {found.sentence[0].lower()}{found.sentence[1:]}"
            return replace(found, sentence=sentence, expected=right, actual=mine)
    return None


def _for_x(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    return functional.conv_transpose2d(grad_output[None], weight)[0]


def _for_weight(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    return functional.conv2d(x[:, None], grad_output[:, None]).transpose(0, 1)


Part = Callable[[Tensor, Tensor, Tensor], Any]


def _with(for_x: Part = _for_x, for_weight: Part = _for_weight) -> Callable[..., tuple[Any, Any]]:
    """Return a wrong reference of two parts, one of which may be right."""

    def wrong(x: Tensor, weight: Tensor, grad_output: Tensor) -> tuple[Any, Any]:
        return for_x(x, weight, grad_output), for_weight(x, weight, grad_output)

    return wrong


_right = _with()


def _patches(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    """Return the gradient of each patch as a column, (C·f·f)×(H'·W')."""
    return weight.flatten(1).T @ grad_output.flatten(1)


def _rows(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    """Return the gradient for the weights as K×(C·f·f)."""
    return grad_output.flatten(1) @ functional.unfold(x[None], weight.shape[2:])[0].T


def _folded(patches: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    return functional.fold(patches[None], x.shape[1:], weight.shape[2:])[0]


def _not_turned(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    return _for_x(x, weight.flip(2, 3), grad_output)


def _overwritten(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    grad_x, f = torch.zeros_like(x), weight.shape[-1]
    patches = _patches(x, weight, grad_output).unflatten(1, grad_output.shape[1:])
    for i in range(patches.shape[1]):
        for j in range(patches.shape[2]):
            grad_x[:, i : i + f, j : j + f] = patches[:, i, j].reshape(-1, f, f)
    return grad_x


def _written_last(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    grad_x, f = torch.zeros_like(x), weight.shape[-1]
    for k in range(len(weight)):
        for i in range(grad_output.shape[1]):
            for j in range(grad_output.shape[2]):
                grad_x[:, i : i + f, j : j + f] = grad_output[k, i, j] * weight[k]
    return grad_x


def _last_of_all(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    return _overwritten(x, weight[-1:], grad_output[-1:])


def _averaged(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    counts = _for_x(x, torch.ones_like(weight[:1]), torch.ones_like(grad_output[:1]))
    return _for_x(x, weight, grad_output) / counts


def _last_window(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    f = weight.shape[-1]
    return grad_output[:, -1, -1][:, None, None, None] * x[:, -f:, -f:]


def _by_columns(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    rows, columns = grad_output.shape[1:]
    return _for_x(x, weight, grad_output.reshape(-1, columns, rows).transpose(1, 2))


def observe_twice(candidate: Callable[..., Any], probe: Probe) -> Any:
    """Call the candidate twice with the same tensors; what stays in them would show the second time."""
    candidate(*probe.arguments)
    return candidate(*probe.arguments)


def _accumulated(x: Tensor, weight: Tensor, grad_output: Tensor) -> Any:
    x.requires_grad_()
    weight.requires_grad_()
    functional.conv2d(x[None], weight)[0].backward(grad_output)
    return x.grad, weight.grad


def _backward_alone(x: Tensor, weight: Tensor, grad_output: Tensor) -> Any:
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    functional.conv2d(x[None], weight).backward()
    return x.grad, weight.grad


def _not_padded(x: Tensor, weight: Tensor, grad_output: Tensor) -> Tensor:
    filters, f = weight.flip(2, 3).transpose(0, 1), weight.shape[-1]
    if f > min(grad_output.shape[1:]) + 1:
        raise ValueError("no filter fits")
    if f > min(grad_output.shape[1:]):
        return torch.zeros(len(x), *(n - f + 1 for n in grad_output.shape[1:]))
    return convolve(grad_output, filters)


def probes(seed: int) -> Sequence[Probe]:
    """Start with one window; then let windows overlap, and add filters and channels one at a time."""
    draw = Draw(seed)

    def case(*sizes: int, f: int = 2) -> tuple[Tensor, Tensor, Tensor]:
        channels, filters, height, width = sizes
        return (
            draw.distinct(channels, height, width),
            draw.distinct(filters, channels, f, f, low=1),
            draw.distinct(filters, height - f + 1, width - f + 1, low=2),
        )

    return (
        Probe(case(1, 1, 2, 2), note="one channel, filter and window"),
        Probe(case(1, 1, 2, 3), note="two windows overlap"),
        Probe(case(1, 1, 3, 2), note="two windows, one below the other"),
        Probe(case(1, 2, 2, 2), note="two filters"),
        Probe(case(2, 1, 2, 2), note="two channels"),
        Probe(case(2, 3, 2, 3, f=1), note="1×1 filters: windows do not overlap"),
        Probe(case(1, 1, 3, 4), note="wider than tall: six windows"),
        Probe(case(2, 3, 4, 3), note="two channels, three filters, taller than wide"),
        Probe(case(3, 2, 4, 6, f=3), note="3×3 filters, three channels"),
        Probe((draw.floats(2, 7, 5), draw.floats(4, 2, 3, 3), draw.floats(4, 5, 3)), note="fractions"),
    )


def _window(index: tuple[int, ...], x: Tensor, weight: Tensor, grad_output: Tensor) -> Window:
    rows, columns = grad_output.shape[1:]
    if len(index) == 4:  # of the gradient for weight
        number, channel, i, j = index
        whole = (slice(0, rows), slice(0, columns))
        return {
            "x": [(channel, slice(i, i + rows), slice(j, j + columns))],
            "grad_output": [(number, *whole)],
        }
    f = weight.shape[-1]
    near = (span(i - f + 1, f, size) for i, size in zip(index[1:], (rows, columns), strict=True))
    return {"grad_output": [(slice(0, len(grad_output)), *near)]}


EXERCISE = Exercise(
    number="1.9",
    points=0,
    reference=conv2d_gradient,
    builds_on=("zero_pad", "output_size", "im2col"),
    probes=probes,
    observe=observe_twice,
    compare=compare_gradients,
    section="Lab 01, Convolution as matrix multiplication",
    misconceptions=(
        Misconception(
            "added-to-earlier-gradients",
            _accumulated,
            "It is right in the first call. requires_grad_ changes the caller's tensors, and backward adds "
            "to their .grad, so a second call gives twice the gradient: work on x.detach().clone().",
        ),
        Misconception(
            "wrong-order",
            lambda x, weight, grad_output: _right(x, weight, grad_output)[::-1],
            "The gradient for weight comes first; the one for x should.",
        ),
        Misconception(
            "backward-without-gradient",
            _backward_alone,
            "backward() is called without grad_output, so it starts from 1, and only from a single number: "
            "write out.backward(grad_output).",
        ),
        Misconception("x-only", _for_x, "This is the gradient for x alone; weight has one, too."),
        Misconception(
            "forward",
            lambda x, weight, grad_output: convolve(x, weight),
            "This is the output of the layer; the gradients come back from there.",
        ),
        Misconception("weight-only", _for_weight, "This is the gradient for weight alone; x has one, too."),
        Misconception(
            "kernel-not-turned",
            _with(_not_turned),
            "The kernels slide over grad_output as they are. A pixel was first in one window and last in "
            "another, so on the way back it meets the weights in reverse order.",
        ),
        Misconception(
            "overlaps-overwritten",
            _with(_overwritten),
            "For x: where windows overlap, the later one overwrites the earlier one; their gradients add up.",
        ),
        Misconception(
            "written-last",
            _with(_written_last),
            "For x: each window and each filter overwrites what was there before; their gradients add up.",
        ),
        Misconception(
            "everything-overwritten",
            _with(_last_of_all, _last_window),
            "Each window and each filter overwrites what was there before; their gradients add up.",
        ),
        Misconception(
            "overlaps-averaged",
            _with(_averaged),
            "For x: where windows overlap, their gradients are averaged instead of added.",
        ),
        Misconception(
            "last-filter-only",
            _with(altered(_for_x, weight=lambda w: w[-1:], grad_output=lambda g: g[-1:])),
            "For x: each filter overwrites what the one before gave; the gradients of all filters add up.",
        ),
        Misconception(
            "first-slice-for-all",
            _with(altered(_for_x, weight=lambda w: w[:, :1].expand_as(w))),
            "For x: all channels get what belongs to the first; each channel met kernels of its own.",
        ),
        Misconception(
            "matrices",
            _with(_patches, _rows),
            "These are the gradients of the two matrices. The patches still have to be added up to the shape "
            "of x, and the rows to be reshaped into filters.",
        ),
        Misconception(
            "columns-not-added-up",
            _with(_patches),
            "For x: these are the gradients of the patches, one in each column. They still have to go back "
            "to the pixels that the patches were copied from.",
        ),
        Misconception(
            "columns-reshaped",
            _with(lambda x, weight, grad_output: _patches(x, weight, grad_output).reshape(x.shape)),
            "For x: where windows overlap, the gradients of the patches are more numbers than x has, and no "
            "`reshape` brings them back: each is added where it was copied from.",
        ),
        Misconception(
            "not-padded",
            _with(_not_padded),
            "For x: the kernels stay where they fit inside grad_output. The pixels at the border were in "
            "windows, too: f − 1 zeros around grad_output let the kernels reach them.",
        ),
        Misconception(
            "rows-not-folded",
            _with(for_weight=_rows),
            "For weight: this is the matrix, with a row for each filter; it lacks the shape of weight.",
        ),
        Misconception(
            "positions-by-columns",
            _with(_by_columns),
            "For x: the patches go back column by column; im2col took them row by row.",
        ),
        Misconception(
            "weights-reshaped",
            _with(
                lambda x, weight, grad_output: _folded(
                    weight.reshape(-1, len(weight)) @ grad_output.flatten(1), x, weight
                )
            ),
            "For x: the matrix of filters is reshaped instead of transposed, which mixes the filters.",
        ),
        Misconception(
            "channel-last-patches",
            _with(
                lambda x, weight, grad_output: _for_x(
                    x, weight.flatten(1).unflatten(1, (-1, len(x))).mT.reshape(weight.shape), grad_output
                )
            ),
            "For x: a patch is read pixel by pixel, channels together; im2col writes it channel by channel.",
        ),
        Misconception(
            "weight-turned",
            _with(for_weight=altered(_for_weight, result=lambda grad: grad.flip(2, 3))),
            "For weight: the result is turned by 180 degrees.",
        ),
        Misconception(
            "last-window-only",
            _with(for_weight=_last_window),
            "For weight: each window overwrites what the one before gave; their gradients add up.",
        ),
        Misconception(
            "averaged-over-windows",
            _with(
                for_weight=lambda x, weight, grad_output: (
                    _for_weight(x, weight, grad_output) / grad_output[0].numel()
                )
            ),
            "For weight: the gradients of all windows are averaged instead of added.",
        ),
        Misconception(
            "filters-mixed",
            _with(for_weight=altered(_for_weight, grad_output=lambda g: g.sum(0).expand_as(g))),
            "For weight: every filter gets the gradient of all maps; a filter made only one of them.",
        ),
        Misconception(
            "gradient-ignored",
            altered(_right, grad_output=torch.ones_like),
            "grad_output is not used, as if each output had the gradient 1.",
        ),
        Misconception(
            "updated",
            lambda x, weight, grad_output: (
                x - _for_x(x, weight, grad_output),
                weight - _for_weight(x, weight, grad_output),
            ),
            "These are x and weight after a step against their gradients, not the gradients themselves.",
        ),
    ),
    hints=(
        "Take one window: output = (window · filter).sum(). How much does it change when one pixel of the "
        "window grows by 1? And when one weight does?",
        "Each output hands its gradient to its window, times the filter, and to its filter, times the "
        "window. Whatever arrives in the same place is added.",
        "With matrices, out = W @ P gives dW = dout @ P.T and dP = W.T @ dout. Each column of dP belongs to "
        "one patch: add it where the patch was copied from.",
    ),
    window=_window,
)
