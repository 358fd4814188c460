"""``python -m course_utils.training lenet5``: train a lab's network, alone or under torchrun."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from types import FrameType
from typing import Any

import torch

from course_utils import settings
from course_utils.data.load import load_dataset
from course_utils.errors import CourseError, SettingsError
from course_utils.terminal import fall_back_to_ascii
from course_utils.training.distributed import process_group
from course_utils.training.networks import NETWORKS, build
from course_utils.training.recipes import recipe
from course_utils.training.results import report
from course_utils.training.speed import PLAIN
from course_utils.training.trainer import fit

EXAMPLES = """\
alone:             python -m course_utils.training lenet5
two processes:     torchrun --nproc-per-node=2 -m course_utils.training lenet5
two machines:      torchrun --nnodes=2 --nproc-per-node=1 --rdzv-backend=c10d --rdzv-endpoint=HOST:29400 \\
                            -m course_utils.training vgg          (the same command on both)
after a failure:   torchrun --max-restarts=3 … resumes after the last finished epoch
a machine fails:   TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --nnodes=1:2 --max-restarts=3 … on both:
                   the other one continues alone; where it failed, the same command joins again

torchrun gives each process one thread unless OMP_NUM_THREADS says otherwise. Machines must see the same data,
and the same COURSE_STATE_DIR, where the first process keeps the checkpoint. If their own names lead them to
127.0.0.1 or 127.0.1.1, add --local-addr with each one's address, and on HOST --rdzv-conf=is_host=1.
All depend on HOST: if it fails, run the command again on all of them; training resumes after the last epoch.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says. The exit code is 0, 1 after a failure, or 2 for wrong values."""
    fall_back_to_ascii()
    options = make_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        profile = settings.check_profile(options.profile) if options.profile else settings.read().profile
        with process_group() as (processes, device):
            lab = NETWORKS[options.network]
            dataset = load_dataset(
                options.data or lab.dataset, device=device, offline=None if options.data else lab.substitute
            )
            plan = recipe(options.network, profile)
            changes: dict[str, Any] = {"seed": options.seed}
            if options.epochs is not None:
                changes |= {"epochs": options.epochs, "least_steps": 0}
            plan = replace(plan, **changes)
            torch.manual_seed(options.seed)
            model = build(options.network, profile, dataset)
            with redirect_stdout(sys.stderr if options.json else sys.stdout):
                history = fit(
                    model,
                    dataset,
                    plan,
                    device=device,
                    speed=PLAIN if options.plain else None,
                    checkpoint=True if options.checkpoint is None else options.checkpoint,
                    fresh=options.fresh,
                    processes=processes,
                )
            if processes.is_main:
                found = report(lab.lab, history, processes=processes.size)
                print(json.dumps(found.figures) if options.json else found, flush=True)
    except CourseError as error:
        print(error, file=sys.stderr, flush=True)
        return 2 if isinstance(error, SettingsError) else 1
    return 130 if history.interrupted else 0


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training",
        description="Train a lab's network, alone or as one process of several under torchrun.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", choices=tuple(NETWORKS))
    parser.add_argument("--profile", help="lecture, fast or quick; default: COURSE_PROFILE, else fast")
    parser.add_argument("--epochs", type=float, help="instead of the recipe's")
    parser.add_argument("--data", help="a dataset's name or a folder; default: the lab's")
    parser.add_argument("--seed", type=int, default=0, help="for weights, order and augmentation")
    parser.add_argument("--checkpoint", metavar="FOLDER", help="default: the course's, COURSE_STATE_DIR")
    parser.add_argument(
        "--plain", action="store_true", help="float32, with all switches for speed off, as in the lecture"
    )
    parser.add_argument("--fresh", action="store_true", help="ignore a checkpoint and start over")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, progress on stderr")
    return parser


def _terminate(number: int, _frame: FrameType | None) -> None:
    # torchrun ends the other processes when it loses one.
    print(
        "Ended from outside; the checkpoint of the last finished epoch is kept.", file=sys.stderr, flush=True
    )
    raise SystemExit(128 + number)


if __name__ == "__main__":
    raise SystemExit(main())
