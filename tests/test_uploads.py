"""Hostile uploads, a table of what `stress/pictures.py` sends by the thousand."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from digits.images import ImageError, decode, open_picture, read_digit
from digits.images.decode import MAX_SIDE
from tests.uploads import KINDS, ODD, flat_png, many_scans, odd, run_length_bmp, upload


def opened(data):
    """The picture, None when it is refused; whatever else is raised fails the test."""
    with suppress(ImageError):
        picture = open_picture(io.BytesIO(data))
        assert picture.mode == "RGB"
        assert max(picture.size) <= MAX_SIDE
        with suppress(ImageError):
            read_digit(picture)
        return picture
    return None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_open_picture_damaged_file_is_read_or_refused(kind):
    outcomes = [opened(upload(seed, kind)[1]) for seed in range(60)]
    if kind == "exif":
        assert None not in outcomes  # EXIF, however odd, spoils no picture


@pytest.mark.parametrize("number", range(len(ODD)))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_open_picture_odd_file_is_read_or_refused(number):
    opened(odd(number))


@pytest.mark.parametrize(
    "data",
    [
        flat_png(50_000, 50_000, 1, 0, 1),
        flat_png(6001, 6000, 1, 0, 1),
        flat_png(4500, 4500, 16, 0, 1),
        many_scans(1000, 1000),
        run_length_bmp(64, 10),
        b"P3 700 500 255 " + b"1 " * 1_050_000,
    ],
)
def test_open_picture_costly_file_is_refused(data):
    with pytest.raises(ImageError):
        open_picture(io.BytesIO(data))


def test_open_picture_of_many_at_once_are_decoded_few_at_a_time(monkeypatch):
    at_work, most = set(), []
    all_came = threading.Barrier(decode.AT_ONCE, timeout=60)
    original = decode._decode

    def watched(data):
        at_work.add(threading.get_ident())
        all_came.wait()  # each waits for the others: as many as may are at work together
        most.append(len(at_work))
        at_work.discard(threading.get_ident())
        return original(data)

    monkeypatch.setattr(decode, "_decode", watched)
    picture = flat_png(40, 40, 8, 0, 1)
    with ThreadPoolExecutor(4 * decode.AT_ONCE) as threads:
        many = [
            threads.submit(open_picture, io.BytesIO(picture)) for _ in range(4 * decode.AT_ONCE)
        ]
        assert len({one.result(60).size for one in many}) == 1
    assert max(most) <= decode.AT_ONCE
