"""What the checks say of the answers in ``tests/answers``, beside what teachers say of them.

Run it as ``python tests/benchmarks/answers_report.py``. ``--exercise`` limits it to one exercise, and
``--verbose`` shows every answer that is judged wrongly, or whose cause is not named, with both texts.
The checks were mended after these answers were judged: expect them to name fewer causes of new ones.
"""

import argparse
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from answers import Answer, Outcome, answers, judged, outcome

from course_utils import exercises
from course_utils.exercises import Verdict

COLUMNS = [kind for kind in get_args(Outcome) if kind != "agreed"]


def row(name: str, counts: Counter[str]) -> str:
    """Return one line of the table."""
    wrong = counts["wrong"]
    share = f"{100 * counts['cause named'] / wrong:4.0f} %" if wrong else ""
    cells = "".join(f"{counts[kind] or '·':>{len(kind) + 2}}" for kind in COLUMNS)
    return f"{name:30}{counts.total() - wrong:>8}{wrong:>7}{cells}{share:>8}"


def told(answer: Answer, verdict: Verdict, kind: str) -> str:
    """Return what a check says of an answer, and what is true."""
    error = verdict.traceback.strip().splitlines()[-1:]
    card = f"[{verdict.misconception or verdict.status}] {' '.join([*error, verdict.reason])}"
    texts = [f"{answer}: {kind}", f"says: {card}", f"true: {answer.cause or answer.verdict}"]
    return "\n".join(
        textwrap.fill(text, 110, initial_indent=indent, subsequent_indent="        ")
        for text, indent in zip(texts, ("", "  ", "  "), strict=True)
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--exercise", metavar="ID", choices=exercises.names())
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    print(f"{'':30}{'answers':>8}{'wrong':>7}{''.join(f'  {kind}' for kind in COLUMNS)}{'named':>8}")
    total: Counter[str] = Counter()
    texts = []
    for name in [options.exercise] if options.exercise else exercises.names():
        counts: Counter[str] = Counter()
        for answer in answers(name):
            verdict = judged(answer, closely=True)
            kind = outcome(answer, verdict)
            counts.update([kind] + ["wrong"] * (answer.verdict == "wrong"))
            if kind not in ("agreed", "cause named"):
                texts.append(told(answer, verdict, kind))
        print(row(f"{exercises.get(name).number:5} {name}", counts), flush=True)
        total += counts
    print(row("all", total))
    if options.verbose:
        print("", *texts, sep="\n")


if __name__ == "__main__":
    main()
