"""The banner of the page: drawn anew by its command."""

import subprocess
import sys

from PIL import Image, ImageChops

from tests.homes import PROJECT


def test_banner_drawn_anew_is_the_one_that_is_shipped(tmp_path):
    drawn = tmp_path / "num.png"
    subprocess.run([sys.executable, PROJECT / "docs" / "banner.py", drawn], check=True)
    with Image.open(drawn) as new, Image.open(PROJECT / "num.png") as shipped:
        assert (new.size, new.mode) == ((1600, 400), "RGBA")
        assert ImageChops.difference(new, shipped).getbbox() is None
    assert drawn.stat().st_size < 200_000
