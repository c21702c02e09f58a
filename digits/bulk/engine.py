"""Who does the work: processes of this machine, or a Dask cluster's, by one interface."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

import cv2
from threadpoolctl import threadpool_limits

AHEAD = 3  # parts in hand for each worker: none waits for the next, and none are many
Given = TypeVar("Given")
Made = TypeVar("Made")


@contextmanager
def workers(count: int, cluster: str | None) -> Iterator[tuple[Executor, int]]:
    """Lend an executor and its number of workers, and end them.

    count: processes on this machine. cluster: the address of a Dask scheduler instead, whose
    workers have this package installed. Raises OSError when it does not answer, ImportError
    without Dask.
    """
    if cluster is None:
        context = get_context("spawn")
        pool = ProcessPoolExecutor(count, context, initializer=_begin)
        try:
            yield pool, count
        finally:
            pool.shutdown(cancel_futures=True)
        return
    from dask.distributed import Client  # an optional extra: requirements-cluster.txt

    with Client(cluster) as client:
        yield client.get_executor(pure=False), max(1, sum(client.nthreads().values()))


def run(
    executor: Executor, count: int, do: Callable[[Given], Made], given: Iterable[Given]
) -> Iterator[Made]:
    """Yield what `do` makes of each thing given, in the order in which they are done.

    given is taken from only as workers become free. What `do` raises is raised here.
    """
    waiting: set[Future[Made]] = set()
    for one in given:
        waiting.add(executor.submit(do, one))
        if len(waiting) >= AHEAD * count:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


def _begin() -> None:
    """Set a worker up: one thread, since there is a worker for each core; an end with its parent.

    Else it would wait for work for ever when its parent is killed.
    """
    cv2.setNumThreads(1)
    threadpool_limits(1)
    parent = parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
