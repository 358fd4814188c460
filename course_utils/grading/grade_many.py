"""Grade many submissions in parallel, on this machine or a Dask cluster, and resume after a stop."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache

from course_utils.errors import GradingError
from course_utils.grading.grades import Result, result_of
from course_utils.grading.records import Isolation
from course_utils.grading.result_store import Store, Task
from course_utils.threads import usable_cores

Grade = Callable[[str], str]
"""Takes a task as JSON and returns a result as JSON; runs in a worker."""

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Workers:
    """The workers that grade.

    Attributes
    ----------
    open : callable
        Opens an executor: a context manager.
    size : int
        How many submissions they grade at once.
    where : str
        For the report, for example ``"2 processes on this machine"``.
    isolation : callable
        Returns how they isolate submissions.
    """

    open: Callable[[], Executor]
    size: int
    where: str
    isolation: Callable[[], Isolation]


def grade_task(text: str) -> str:
    """Grade one submission: JSON in, JSON out, so that nothing that student code touched is unpickled."""
    from course_utils.grading.grade_one import grade_notebook

    task = Task.from_json(text)
    isolation = own_isolation()
    if isolation.level != task.level:
        why = f"isolation is {task.level!r} where grading began and {isolation.level!r} on this worker"
        return Result(level=isolation.level, failed=f"It was not graded: {why}.").to_json()
    # Judging sets random states and captures prints for the whole process: one at a time in each.
    with _one_at_a_time:
        done = grade_notebook(task.notebook, isolation=isolation, limits=task.limits, seed=task.seed)
    return result_of(done).to_json()


@cache
def own_isolation() -> Isolation:
    """Return how this process can isolate submissions; found by trying, once."""
    from course_utils.grading.sandbox import probe_isolation

    return probe_isolation()


def this_machine(jobs: int | None = None) -> Workers:
    """Return processes on this machine as workers, by default one for each core that may be used.

    Raises
    ------
    GradingError
        On Windows.
    """
    if not hasattr(os, "fork"):
        raise GradingError(
            "This machine cannot grade.",
            why="Submissions run in processes that are forked from a prepared one, which Windows cannot do.",
            left="Nothing was graded or written.",
            next_step="Grade on Linux or macOS, or on Windows in WSL.",
        )
    size = jobs or usable_cores()

    def open_pool() -> Executor:
        # Forked from a process that has done nothing but import PyTorch: workers share its memory and no
        # state, start at once, and no library's threads are lost in a fork.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["torch"])
        return ProcessPoolExecutor(size, mp_context=context, initializer=_begin)

    where = f"{size} process{'es' * (size > 1)} on this machine"
    return Workers(open_pool, size, where, own_isolation)


@contextmanager
def cluster(address: str, *, seconds: float = 10.0) -> Iterator[Workers]:
    """Yield the workers of a Dask scheduler.

    Raises
    ------
    GradingError
        If `distributed` is not installed, or the scheduler does not answer or has no workers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise GradingError(
            "A cluster needs the library distributed.",
            why="It is not installed.",
            next_step='pip install "convnet-labs[cluster]"',
        ) from None
    try:
        client = Client(address, timeout=seconds, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise GradingError(
            f"The scheduler {address} does not answer.",
            why=f"{type(error).__name__}: {error}",
            next_step="Check the address (dask scheduler prints it), for example tcp://host:8786.",
        ) from error
    try:
        workers = len(client.nthreads())
        if not workers:
            raise GradingError(
                f"The scheduler {address} has no workers.", next_step=f"Start one: dask worker {address}"
            )

        @contextmanager
        def executor() -> Iterator[Executor]:
            # Not closed here: it belongs to the client.
            yield client.get_executor(pure=False, retries=0)

        def isolation() -> Isolation:
            return client.submit(own_isolation, pure=False).result()

        where = f"{workers} worker{'s' * (workers > 1)} of {address}"
        yield Workers(executor, workers, where, isolation)  # type: ignore[arg-type]
    finally:
        client.close()


def grade_tasks(
    tasks: Mapping[str, Task],
    store: Store,
    workers: Workers,
    *,
    grade: Grade = grade_task,
    done: Callable[[str, Result], None] = lambda key, result: None,
    stopping: Callable[[int], None] = lambda running: None,
) -> None:
    """Grade what is not in the store yet, and store each result as it arrives.

    What failed, and what the clock stopped with CPU time left, is graded once more after everything else, one
    by one: other work may have kept it from its time.

    Parameters
    ----------
    tasks : mapping
        By key.
    store : Store
        Tasks whose results it holds are not graded again.
    workers : Workers
    grade : callable, optional
        What a worker does.
    done : callable, optional
        Called with each key and result, in order of completion.
    stopping : callable, optional
        Called after a first Ctrl-C with the number of submissions still running; their results are stored.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    """
    _Batch({key: task.to_json() for key, task in tasks.items()}, store, workers, grade, done, stopping).run()


@dataclass
class _Batch:
    texts: Mapping[str, str]
    store: Store
    workers: Workers
    grade: Grade
    done: Callable[[str, Result], None]
    stopping: Callable[[int], None]
    again: deque[str] | None = field(default_factory=deque)

    def run(self) -> None:
        queue = deque(sorted(self.texts))
        suspects: deque[str] = deque()
        while queue:
            before = len(queue)
            suspects += self._round(queue, self.workers.size + 1)
            if len(queue) == before:
                raise GradingError("No worker can be started.", next_step="Run course doctor.")
        # So is what ran when a worker died: only the submission that kills it again fails.
        suspects += self.again or ()
        self.again = None
        while suspects:
            for key in self._round(suspects, 1):
                self.done(key, Result(failed="It was not graded: the process that graded it died, twice."))

    def _round(self, queue: deque[str], width: int) -> list[str]:
        """Work through `queue`; return the keys that ran when a worker died."""
        running: dict[Future[str], str] = {}
        with self.workers.open() as executor:
            try:
                while queue or running:
                    while queue and len(running) < width:
                        future = executor.submit(self.grade, self.texts[queue[0]])
                        running[future] = queue.popleft()
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        key = running[future]
                        self._take(key, future)
                        del running[future]
            except BrokenExecutor:
                return [*running.values()]
            except KeyboardInterrupt:
                self._stop(running)
                raise
        return []

    def _take(self, key: str, future: Future[str]) -> None:
        try:
            result = Result.from_json(future.result())
        except BrokenExecutor:
            raise
        except Exception as error:  # a failure in a worker concerns this submission alone
            result = Result(failed=f"It was not graded: {type(error).__name__}: {str(error)[:300]}")
        if self.again is not None and (result.failed or result.waited):
            self.again.append(key)
            return
        if not result.failed:
            self.store.put(key, result)
        self.done(key, result)

    def _stop(self, running: dict[Future[str], str]) -> None:
        left = {future: key for future, key in running.items() if not future.cancel()}
        try:
            self.stopping(len(left))
            for future in wait(left).done:
                with suppress(BrokenExecutor):
                    self._take(left[future], future)
        except KeyboardInterrupt:
            for child in multiprocessing.active_children():
                child.terminate()


def _begin() -> None:
    """Prepare a worker: it leaves Ctrl-C to its parent process, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
