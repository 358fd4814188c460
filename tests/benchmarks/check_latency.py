"""How long a check takes: medians for right and wrong answers, the slowest, and the most processor time.

Run it as ``python tests/benchmarks/check_latency.py``; ``--limit 1000`` makes it fail above a second of
processor time, which depends less on what else the machine is doing.
"""

import argparse
import statistics
import time

from course_utils import exercises


def milliseconds(exercise_id: str, candidate: object, seed: int) -> tuple[float, float]:
    """Time one check; return wall time and processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    exercises.evaluate(exercise_id, candidate, seed=seed, closely=True)
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)


def main() -> int:
    """Print the table; the exit code is 1 when the worst case is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=float, default=float("inf"), help="milliseconds")
    options = parser.parse_args()
    worst_of_all = 0.0
    print(f"{'milliseconds':30} {'right':>8} {'wrong':>8} {'worst':>8} {'processor':>10}")
    for name in exercises.names():
        exercise = exercises.get(name)
        milliseconds(name, exercise.reference, 0)
        right = [milliseconds(name, exercise.reference, seed) for seed in range(options.repeat)]
        wrong = [milliseconds(name, m.wrong, 0) for m in exercise.misconceptions]
        walls = [statistics.median(wall for wall, _ in times) for times in (right, wrong)]
        worst, processor = (max(times) for times in zip(*right, *wrong, strict=True))
        worst_of_all = max(worst_of_all, processor)
        row = f"{walls[0]:8.0f} {walls[1]:8.0f} {worst:8.0f} {processor:10.0f}"
        print(f"{exercise.number:5} {name:24} {row}", flush=True)
    return int(worst_of_all > options.limit)


if __name__ == "__main__":
    raise SystemExit(main())
