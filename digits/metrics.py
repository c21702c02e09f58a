"""Scores of predictions for labelled rows: arrays in, numbers out; nothing here knows a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ONE_SIDED_95 = 1.645  # quantile of the normal distribution


@dataclass(frozen=True)
class Predictions:
    """Two networks' predictions for the same rows.

    labels: int (n,). before, after: float32 (n, 10), the probabilities the network in service
    and the candidate give.
    """

    labels: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def of(self, rows: np.ndarray) -> Predictions:
        """Return the predictions for some of the rows: bool (n,)."""
        return Predictions(self.labels[rows], self.before[rows], self.after[rows])

    @property
    def fixed(self) -> np.ndarray:
        """bool (n,): misclassified before, correct after."""
        return ~correct(self.labels, self.before) & correct(self.labels, self.after)

    @property
    def broken(self) -> np.ndarray:
        """bool (n,): correct before, misclassified after."""
        return correct(self.labels, self.before) & ~correct(self.labels, self.after)


def correct(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return bool (n,): whether the likeliest of float (n, 10) is the label of int (n,)."""
    return probabilities.argmax(axis=1) == labels


def nll(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean negative log-likelihood, in nats, of labels int (n,)."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-7)).mean())


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, steps: int = 15) -> float:
    """Return the expected calibration error, 0 to 1: how far confidence and accuracy lie apart.

    Averaged over equal steps of confidence, each weighed by its rows (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599). labels: int (n,). probabilities: float (n, 10).
    """
    confidence = probabilities.max(axis=1)
    step = np.minimum((confidence * steps).astype(int), steps - 1)
    gaps = np.bincount(step, correct(labels, probabilities) - confidence, minlength=steps)
    return float(np.abs(gaps).sum() / len(labels))


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the two ends of the Wilson interval, 95 %, of a share of hits among n (> 0).

    Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953: right also near 0 and 1.
    """
    share, spread = hits / n, z * z / n
    middle = share + spread / 2
    half = z * np.sqrt(share * (1 - share) / n + spread / (4 * n))
    return float((middle - half) / (1 + spread)), float((middle + half) / (1 + spread))


def loss_limit(predictions: Predictions) -> float:
    """Return the upper one-sided 95 % limit of the accuracy lost, as a share of the rows.

    The rows are paired, so only those that flipped carry weight; half a row is added to each
    cell, so that no flips at all do not mean no doubt (Agresti & Min 2005,
    https://doi.org/10.1002/sim.1781).
    """
    broken, fixed = predictions.broken.sum() + 0.5, predictions.fixed.sum() + 0.5
    n = len(predictions.labels) + 2
    spread = np.sqrt(broken + fixed - (broken - fixed) ** 2 / n) / n
    return float((broken - fixed) / n + ONE_SIDED_95 * spread)
