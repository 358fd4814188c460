"""What an exercise is, what was observed of an answer, and what was judged: plain, frozen data."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from course_utils.exercises.compare import Difference, difference

ObservationStatus = Literal["returned", "error", "not started", "timeout"]
VerdictStatus = Literal["correct", "wrong", "error", "not started"]
Region = tuple[int | slice, ...]
Window = Mapping[str, Sequence[Region]]


@dataclass(frozen=True)
class Probe:
    """One call to make: the arguments, and a few words on what the case tests.

    Attributes
    ----------
    arguments : tuple
        Positional arguments, never changed: every call gets its own deep copies.
    keywords : mapping
        Keyword arguments.
    note : str
        What the case tests, for example ``"5×4 image; stride 2 does not divide"``.
    call : str
        The call as text, where it is not the candidate called with the arguments.
    shown : mapping or None
        The inputs to show by name, where these are not the arguments.
    known : dict
        What the course's own functions did on it, by function: each is run once.
    """

    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    call: str = ""
    shown: Mapping[str, Any] | None = None
    known: dict[Callable[..., Any], Observation] = field(default_factory=dict, init=False, compare=False)


def call(candidate: Callable[..., Any], probe: Probe) -> Any:
    """Call `candidate` as `probe` says; what most exercises observe."""
    return candidate(*probe.arguments, **probe.keywords)


@dataclass(frozen=True)
class Misconception:
    """A wrong idea that answers have had before.

    Attributes
    ----------
    id : str
        A short name in kebab case, for example ``"flipped-kernel"``.
    wrong : callable
        The reference as somebody with this idea would write it; same signature.
    sentence : str
        Names the idea, not the remedy.
    section : str
        Where to read, for example ``"Lab 01, Padding"``; the exercise's own section where it is not given.
    """

    id: str
    wrong: Callable[..., Any]
    sentence: str
    section: str = ""


@dataclass(frozen=True)
class Exercise:
    """An exercise as data.

    Attributes
    ----------
    number : str
        Lab and place in it, for example ``"1.4"``.
    points : int
        0 for an optional exercise: it counts no points, and nothing waits for it.
    reference : callable
        A right answer, written to be read; its name and parameters are the exercise's.
    probes : callable
        ``seed -> probes``, smallest first. The seed changes numbers and sizes; every seed keeps the shapes
        that tell the misconceptions apart.
    misconceptions : tuple of Misconception
    hints : tuple of str
        From gentle to concrete.
    section : str
        Where to read: the section of every misconception that names none itself.
    also_right : tuple of callable
        Other conventions that are accepted.
    observe : callable
        ``(candidate, probe) -> value``: runs the candidate and returns what is compared (tensors, arrays,
        numbers, strings, or tuples, lists and dicts of these).
    window : callable or None
        ``(index of an output cell, **arguments by name) -> {input name: regions}``: the inputs behind it.
    explain : callable or None
        ``(probe, expected, actual) -> sentence or None``, asked when no misconception agrees; plain values.
    compare : callable
        ``(expected, actual) -> Difference or None``: how an answer differs, in words; None if it does not.
    builds_on : tuple of str
        Earlier exercises whose answers this one's may call, in their order: where one of them is not right,
        the course's takes its place. Never one that does the same as this.
    rules_out : callable or None
        ``(wrong, probe, actual) -> bool``: whether a wrong reference cannot have given `actual`, told without
        running it; for exercises where a run takes long.
    """

    number: str
    points: int
    reference: Callable[..., Any]
    probes: Callable[[int], Sequence[Probe]]
    misconceptions: tuple[Misconception, ...]
    hints: tuple[str, ...]
    section: str = ""
    also_right: tuple[Callable[..., Any], ...] = ()
    observe: Callable[[Any, Probe], Any] = call
    window: Callable[..., Window] | None = None
    explain: Callable[[Probe, Any, Any], str | None] | None = None
    compare: Callable[[Any, Any], Difference | None] = difference
    builds_on: tuple[str, ...] = ()
    rules_out: Callable[[Any, Probe, Any], bool] | None = None

    def __post_init__(self) -> None:
        complete = tuple(replace(m, section=m.section or self.section) for m in self.misconceptions)
        object.__setattr__(self, "misconceptions", complete)

    @property
    def optional(self) -> bool:
        """Whether it counts no points."""
        return not self.points

    @property
    def lab(self) -> int:
        """The lab's number."""
        return int(self.number.partition(".")[0])

    @property
    def title(self) -> str:
        """The name that the answer must have: ``conv2d``, ``ResidualBlock``."""
        return self.reference.__name__

    @property
    def id(self) -> str:
        """The title in snake case: ``conv2d``, ``lenet5``, ``residual_block``."""
        # Three small letters make a word, so that LeNet5 stays one.
        return re.sub(r"(?<=[a-z]{3})(?=[A-Z])", "_", self.title).lower()

    @property
    def signature(self) -> str:
        """What the answer's first line says: ``same_padding(f)``, ``class VGG(nn.Module)``."""
        if inspect.isclass(self.reference):
            return f"class {self.title}(nn.Module)"
        parameters = inspect.signature(self.reference).parameters.values()
        bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
        return f"{self.title}{inspect.Signature(bare)}"


@dataclass(frozen=True)
class Observation:
    """What one call of a candidate did. Everything in it is plain: it may cross to another process.

    Attributes
    ----------
    status : str
        ``"returned"``, ``"error"``, ``"not started"`` or ``"timeout"``.
    value
        What was returned, as plain arrays, numbers, strings, tuples, lists and dicts. For ``"error"``: what
        was observed until then, which an exercise's `observe` leaves in the error's ``observed``, or None.
    changed_inputs : tuple of str
        Names of the arguments that the call modified.
    traceback : str
        The candidate's own lines of the traceback and the error; after a timeout, where it was.
    call : str
        The call as text.
    error : str
        Name of the exception's type.
    printed : str
        The beginning of what the call printed.
    blocked_by : str
        For ``"not started"``: the unfinished exercise that the candidate calls, if it is another one.
    numpy : bool
        Whether it returned NumPy arrays, which are not told from tensors in `value`.
    cut_off : tuple of str
        Names of the arguments that need a gradient and would get none from what was returned.
    slips : tuple of (kind, sentence)
        What `slips.slips` reads from the candidate's source.
    stopped_after : float
        For ``"timeout"``: the limit that was reached, in seconds.
    """

    status: ObservationStatus
    value: Any = None
    changed_inputs: tuple[str, ...] = ()
    traceback: str = ""
    call: str = ""
    error: str = ""
    printed: str = ""
    blocked_by: str = ""
    numpy: bool = False
    cut_off: tuple[str, ...] = ()
    slips: tuple[tuple[str, str], ...] = ()
    stopped_after: float = 0.0


@dataclass(frozen=True)
class Counterexample:
    """The smallest case that an answer gets wrong.

    Attributes
    ----------
    call, note : str
        The call as text and what the case tests.
    inputs : dict
        Name of each argument and its plain value.
    expected, actual
        Plain values.
    differing : numpy.ndarray of bool, or None
        Which cells differ, where both have the same shape.
    window : mapping or None
        Input name to the regions behind the first differing cell.
    """

    call: str
    note: str
    inputs: dict[str, Any]
    expected: Any
    actual: Any
    differing: Any = None
    window: Window | None = None


@dataclass(frozen=True)
class Verdict:
    """What a check says.

    Attributes
    ----------
    exercise, number, title : str
        Which exercise.
    status : str
        ``"correct"``, ``"wrong"``, ``"error"`` or ``"not started"``.
    misconception : str or None
        Id of the misconception that agrees with the answer on every probe.
    counterexample : Counterexample or None
    section : str or None
        Where to read.
    points, earned : int
    reason : str
        What differs and the likely cause, without the counterexample.
    traceback : str
        For an error: the candidate's own lines of the traceback.
    stopped_after : float or None
        For an error: the seconds after which the candidate was stopped, if it did not end by itself.
    printed : str
        What the candidate printed in the call that is shown; if it is correct, in its first call that prints.
    lent : tuple of str
        The course's functions that stood in for answers which are not right.
    message : str
        The whole verdict as plain text, complete in a terminal: the text of its card.
    """

    exercise: str
    number: str
    title: str
    status: VerdictStatus
    misconception: str | None = None
    counterexample: Counterexample | None = None
    section: str | None = None
    points: int = 1
    earned: int = 0
    reason: str = ""
    traceback: str = ""
    stopped_after: float | None = None
    printed: str = ""
    lent: tuple[str, ...] = ()

    @cached_property
    def message(self) -> str:
        """The whole verdict as plain text."""
        from course_utils.figures.card import verdict_text

        return verdict_text(self)
