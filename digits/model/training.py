"""How a network learns: augmentation, the training loop and calibration.

The notebook trains the first network with these functions, `finetuning.py` every later one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from digits import model
from digits.mnist import CLASSES, SIDE

if TYPE_CHECKING:
    import keras

# What a hand varies, each drawn evenly from +- the value. The digit stays itself: a 6 turned
# further becomes a 9, and Simard et al. 2003 (https://doi.org/10.1109/ICDAR.2003.1227801) found
# elastic shifts of this size the most useful of all.
ROTATION = np.deg2rad(15)
SHEAR = 0.2  # px sideways per px of height
STRETCH = 0.15  # share of the side, each axis its own
SHIFT = 2.0  # px
ELASTIC = 0.7  # px, standard deviation of the coarse grid's displacements
GRID = 5  # points a side of the coarse grid: one bend a stroke, not one a pixel
STROKE = 0.3  # share of digits thickened, and the same share thinned: felt pens and ball pens
CENTRE = (SIDE - 1) / 2

BATCH = 128  # digits a step
WARM_UP = 0.1  # share of all steps before the learning rate is full (Goyal et al. 2017)
AVERAGE_MOMENTUM = 0.9995  # a step: an average over the last few epochs of MNIST
NORM_BATCHES = 100  # at most: thousands of digits make batch norm's means sure to 1 % or so
WEIGHT_DECAY = 0.02  # AdamW (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101)


def augment(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one new writing of each digit, uint8 (n, 28, 28), of digits of the same form.

    Each is rotated, sheared, stretched, shifted and bent in one resampling, after its stroke
    was thickened or thinned.
    """
    columns, rows = _displacements(len(digits), rng)
    weights = rng.uniform(-1, 1, len(digits))
    warped = [
        cv2.remap(_restroke(digit, weight), column, row, cv2.INTER_LINEAR)
        for digit, weight, column, row in zip(digits, weights, columns, rows, strict=True)
    ]
    return np.array(warped, np.uint8).reshape(digits.shape)


def _displacements(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return where each pixel is read from: columns and rows, float32 (n, 28, 28) each."""
    angle, shear = rng.uniform(-ROTATION, ROTATION, n), rng.uniform(-SHEAR, SHEAR, n)
    width, height = 1 + rng.uniform(-STRETCH, STRETCH, (2, n))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1 / width, shear / height], [np.zeros(n), 1 / height]])
    matrix = np.einsum("ijn,jkn->nik", turn, slant)
    row, column = np.mgrid[:SIDE, :SIDE].reshape(2, -1) - CENTRE
    places = matrix @ np.stack([column, row]) + rng.uniform(-SHIFT, SHIFT, (n, 2, 1))
    bends = rng.normal(0, ELASTIC, (n * 2, GRID * GRID)) @ _bend_basis()
    places = places + bends.reshape(n, 2, SIDE**2) + CENTRE
    places = places.reshape(n, 2, SIDE, SIDE).astype(np.float32)
    return places[:, 0], places[:, 1]


def _bend_basis() -> np.ndarray:
    """Return float (25, 784): how far each coarse grid point moves each pixel."""
    points = np.eye(GRID * GRID, dtype=np.float32).reshape(GRID, GRID, GRID * GRID)
    smooth = cv2.resize(points, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return smooth.reshape(-1, GRID * GRID).T


def _restroke(digit: np.ndarray, weight: float) -> np.ndarray:
    """Return the digit with a thicker (weight near 1) or thinner (near -1) stroke."""
    excess = abs(weight) - (1 - STROKE)
    if excess <= 0:
        return digit
    share = excess / STROKE
    operation = cv2.dilate if weight > 0 else cv2.erode
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    # Thinned by half at most: a stroke of one pixel must not vanish.
    share = share if weight > 0 else share / 2
    return cv2.addWeighted(operation(digit, cross), share, digit, 1 - share, 0)


def fit(
    net: keras.Model,
    digits: np.ndarray,
    targets: np.ndarray,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    average: bool = False,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    callbacks: Sequence = (),
    verbose: int = 0,
) -> dict[str, list[float]]:
    """Train net in place on augmented digits; return its history, one value an epoch.

    digits: uint8 (n, 28, 28). targets: float32 (n, 10), rows summing to 1: one-hot for a label,
    soft for distillation. learning_rate: as in `optimizer`.
    seed: fixes order and augmentation. average: end with the weights' moving average, a flatter and
    better place than the last step (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407).
    validation: digits and targets to be scored, as they are, after each epoch. callbacks, verbose:
    Keras' own.
    """
    steps = -(-len(digits) // BATCH)
    adam = optimizer(learning_rate, steps * epochs, average)
    net.compile(adam, loss="categorical_crossentropy", metrics=["accuracy"])
    batches = _batches(digits, targets, np.random.default_rng(seed))
    history = net.fit(
        batches,
        steps_per_epoch=steps,
        epochs=epochs,
        shuffle=False,  # the batches come shuffled
        validation_data=validation and (model.scale(validation[0]), validation[1]),
        validation_batch_size=model.BATCH,
        callbacks=list(callbacks),
        verbose=verbose,
    )
    if average:
        _estimate_norms(net, islice(batches, min(NORM_BATCHES, steps * epochs)))
    return history.history


def optimizer(learning_rate: float, steps: int, average: bool = False) -> keras.optimizers.AdamW:
    """Return what moves the weights for so many steps, and then averages them if asked to.

    learning_rate: the highest, reached after a warm-up and left on a cosine to zero (Loshchilov &
    Hutter 2017, https://arxiv.org/abs/1608.03983).
    """
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 100,
        decay_steps=round(steps * (1 - WARM_UP)),
        warmup_target=learning_rate,
        warmup_steps=round(steps * WARM_UP),
    )
    return keras.optimizers.AdamW(
        schedule, weight_decay=WEIGHT_DECAY, use_ema=average, ema_momentum=AVERAGE_MOMENTUM
    )


def _estimate_norms(net: keras.Model, batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
    """Measure again what batch norm knows of the activations: averaged weights give others."""
    import keras

    norms = [x for x in net.layers if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for seen, (digits, _) in enumerate(batches):
        for norm in norms:
            norm.momentum = seen / (seen + 1)  # so that all batches count alike
        net(digits, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _batches(
    digits: np.ndarray, targets: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield augmented batches without end, each digit once an epoch."""
    while True:
        order = rng.permutation(len(digits))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            yield model.scale(augment(digits[rows], rng)), targets[rows]


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Return exact targets, float32 (n, 10), of labels, int (n,) in 0..9."""
    return np.eye(CLASSES, dtype=np.float32)[labels]


def calibrate(net: keras.Model, digits: np.ndarray, labels: np.ndarray) -> float:
    """Fold the temperature that suits unseen rows best into the last layer; return it.

    Dividing the logits by one number changes no answer, only how sure it is (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599); within the weights, every reader of the file gets it.
    digits: uint8 (n, 28, 28), labels: int (n,), rows that net was not trained on.
    """
    logits = np.log(np.maximum(model.predict(net, digits), np.finfo(np.float32).tiny))
    temperatures = np.geomspace(0.2, 5, 321)  # 1 % apart: finer than thousands of rows can tell
    losses = [_loss_at(logits, labels, temperature) for temperature in temperatures]
    best = float(temperatures[int(np.argmin(losses))])
    last = net.layers[-1]
    last.set_weights([weights / best for weights in last.get_weights()])
    return best


def _loss_at(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Return the mean negative log-likelihood of labels at the given temperature."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    right = scaled[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - right))
