"""The border between digits that touch: drawing it, learning it, and seeing it."""

from __future__ import annotations

import numpy as np
import pytest

from digits.images import borders, touching, train_borders
from digits.images.borders import HEIGHT
from digits.images.cuts import DEAREST, cut
from digits.images.paths import LONE_DEAREST
from digits.images.pieces import Piece
from tests.mnist_files import write_mnist
from tests.styles import restyle


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The file from which `borders` takes its weights, empty so far."""
    monkeypatch.setattr(borders, "WEIGHTS", tmp_path / "weights.npz")
    borders.weights.cache_clear()
    yield borders.WEIGHTS
    borders.weights.cache_clear()


def some_ink(width):
    """Return ink of a width in px, float32 (HEIGHT, width)."""
    return np.random.default_rng(0).random((HEIGHT, width)).astype(np.float32)


@pytest.mark.parametrize("width", [1, 4, 30, 96])
def test_borders_answer_as_the_network_in_keras(weights, width):
    net = train_borders.build()
    np.savez(weights, *net.get_weights())
    ink = some_ink(width)
    padded = np.pad(ink, ((0, 0), (0, -width % borders.PATCH)))[np.newaxis]
    logits = net.predict(borders.squares(padded), verbose=0)
    seen = borders.borders(ink)
    assert seen.shape == ink.shape
    back = borders.squares(np.pad(seen, ((0, 0), (0, -width % borders.PATCH)))[np.newaxis])
    shown = borders.squares(
        np.ones_like(ink, shape=padded.shape) * (np.arange(padded.shape[2]) < width)
    )
    assert np.abs((1 / (1 + np.exp(-logits)) - back) * shown).max() < 1e-5


def test_squares_have_a_channel_for_each_px():
    ink = some_ink(12)
    (rows,) = borders.squares(ink[np.newaxis])
    assert rows.shape == (8, 3, 16)
    assert (rows[2, 1].reshape(4, 4) == ink[8:12, 4:8]).all()


def test_draw_border_runs_down_between_two_digits(few, monkeypatch):
    monkeypatch.setattr(touching, "COUNTS", (2,))
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(60):
        ink, border = touching.draw(few[0], rng)
        assert ink.shape == border.shape == (HEIGHT, ink.shape[1])
        assert ink.min() >= 0
        assert 0.5 < ink.max() < 1.001
        rows.append(border.any(axis=1).mean())
    assert np.median(rows) == 1
    assert np.mean(rows) > 0.95


def test_draw_one_digit_has_no_border(few, monkeypatch):
    monkeypatch.setattr(touching, "COUNTS", (1,))
    rng = np.random.default_rng(0)
    assert not any(touching.draw(few[0], rng)[1].any() for _ in range(20))


def test_draw_struck_digit_has_a_stroke_more_and_no_border(few, monkeypatch):
    monkeypatch.setattr(touching, "COUNTS", (1,))
    shares = []
    for struck in (0, 1):
        monkeypatch.setattr(touching, "STRUCK", struck)
        drawn = [touching.draw(few[0], np.random.default_rng(seed)) for seed in range(30)]
        assert not any(border.any() for _, border in drawn)
        shares.append(np.mean([ink.mean() for ink, _ in drawn]))
    assert shares[1] > 1.05 * shares[0]


def test_draw_same_generator_draws_the_same(few):
    one, other = (touching.draw(few[0], np.random.default_rng(5)) for _ in range(2))
    assert all((mine == its).all() for mine, its in zip(one, other, strict=True))


def test_borders_shipped_are_seen_between_digits_and_not_within_one(rows):
    rng = np.random.default_rng(1)
    on, off = [], []
    for _ in range(100):
        ink, border = touching.draw(rows[0], rng)
        seen = borders.borders(ink)
        on.append(seen[border].mean() if border.any() else 1)
        off.append(seen[~border].mean())
    assert np.mean(on) > 0.5
    assert np.mean(off) < 0.05


def test_cut_slashed_zero_has_no_cheap_cut(rows):
    rng = np.random.default_rng(2)
    zeros = [restyle(zero, 0, rng) for zero in rows[0][rows[1] == 0][:100]]
    cheap = [min(cut(Piece(0, 0, zero > 127))[1], default=DEAREST) < LONE_DEAREST for zero in zeros]
    assert np.mean(cheap) < 0.1  # 0.04; before any was drawn in the lesson, 0.18


def test_main_fewer_samples_than_are_kept_back_says_so(capsys):
    with pytest.raises(SystemExit):
        train_borders.main(["--mnist", "nowhere", "--samples", "500"])
    assert "--samples is 500; 1,000 are kept back" in capsys.readouterr().err


def test_main_folder_without_mnist_names_the_file(tmp_path, capsys):
    with pytest.raises(SystemExit):
        train_borders.main(["--mnist", str(tmp_path)])
    assert "train-images-idx3-ubyte.gz is missing" in capsys.readouterr().err


def test_main_learns_no_digit_of_train_csv_and_writes_weights(rows, weights, tmp_path, monkeypatch):
    drawn = []
    others = (
        np.random.default_rng(0).permutation(rows[0][:40].reshape(40, -1).T).T.reshape(40, 28, 28)
    )
    all_digits = np.concatenate([rows[0][:100], others])
    write_mnist(tmp_path, "train", all_digits, np.array([0] * 100 + [*range(10)] * 4))

    def samples(digits, count):
        drawn.append(digits)
        return train_borders.draw_part(rows[0], count, 0)

    monkeypatch.setattr(train_borders, "_samples", samples)
    monkeypatch.setattr(train_borders, "KEPT_BACK", 32)
    train_borders.main(
        ["--mnist", str(tmp_path), "--samples", "96", "--epochs", "1", "--out", str(weights)]
    )
    assert (drawn[0][:40] == others).all()
    assert len(drawn[0]) == 40 + 40 // train_borders.STYLED
    assert np.isfinite(borders.borders(some_ink(40))).all()
