"""A second process that loads a network's file afresh and answers: what a reader of it will meet.

with Witness() as witness:                      # imports TensorFlow while its caller does too
    witness.ask("model.h5", digits)             # returns at once
    answers = witness.answer()                  # float32 (n, 10), or None: it did not load
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue

import numpy as np

from digits import model


class Witness:
    """Answers questions in the order they were asked; ends with its block, or with its owner."""

    def __enter__(self) -> Witness:
        context = multiprocessing.get_context("spawn")  # fresh: shares nothing with its owner
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_testify, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.join()
        self._ours.close()

    def ask(self, path: str | Path, digits: np.ndarray) -> None:
        """Ask what the network in a file gives to digits, uint8 (n, 28, 28)."""
        self._ours.send((path, digits))

    def answer(self) -> np.ndarray | None:
        """Return the probabilities asked for first, float32 (n, 10); None if none can be given."""
        try:
            return self._ours.recv()
        except (EOFError, ConnectionError):  # it died over the file, or was killed for its memory
            return None


def _testify(questions: Connection) -> None:
    """Answer until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is its owner's to handle
    asked = Queue()
    threading.Thread(target=_collect, args=(questions, asked), daemon=True).start()
    model.prepare()
    while question := asked.get():
        path, digits = question
        try:
            questions.send(model.predict(model.load(path), digits))
        except model.ModelError:
            questions.send(None)


def _collect(questions: Connection, asked: Queue) -> None:
    """Take questions while TensorFlow is still imported, so that whoever asks need not wait."""
    try:
        while True:
            asked.put(questions.recv())
    except (EOFError, ConnectionError):
        asked.put(None)
