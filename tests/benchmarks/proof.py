"""Try every mutant of every right way, and one-line functions, and print what passes a check wrongly.

Run it as ``python tests/benchmarks/proof.py``. ``--exercise`` limits it to one exercise, ``--functions`` says
how many one-line functions are drawn for each, and ``--verbose`` shows those that compute the same, too.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from mutation import mutants
from one_liners import one_liners
from proof import all_right, drawn_cases, is_accepted, is_right

from course_utils import exercises


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--exercise", metavar="ID", choices=exercises.names())
    parser.add_argument("--functions", metavar="COUNT", type=int, default=200)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    print(f"{'':30}{'tried':>8}{'the same':>10}{'wrong':>8}{'CPU time':>10}")
    total = [0, 0, 0]
    for name in [options.exercise] if options.exercise else exercises.names():
        started, exercise, drawn = time.process_time(), exercises.get(name), drawn_cases(name)
        found = [(f"{way.__name__}: {m.name}", m.call) for way in all_right(name) for m in mutants(way)]
        found += [(f.name, f.call) for f in one_liners(name, options.functions)]
        passed = [pair for pair in found if all(is_accepted(name, pair[1], seed) for seed in range(3))]
        wrong = [text for text, call in passed if not is_right(exercise, call, drawn)]
        counts = [len(found), len(passed) - len(wrong), len(wrong)]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        seconds = time.process_time() - started
        print(f"{exercise.number:5} {name:24}{counts[0]:>8}{counts[1]:>10}{counts[2]:>8}{seconds:>8.1f} s")
        for text, _ in passed:
            if text in wrong or options.verbose:
                print(f"      {'WRONG' if text in wrong else 'same '} {text}")
        sys.stdout.flush()
    print(f"{'all':30}{total[0]:>8}{total[1]:>10}{total[2]:>8}{time.process_time():>8.1f} s")


if __name__ == "__main__":
    main()
