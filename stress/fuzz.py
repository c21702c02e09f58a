"""A fuzzer sends the reader what reaches new code in it: nothing but `ImageError` may come out.

    python stress/fuzz.py [--seconds 30] [--seed 0]

atheris (https://github.com/google/atheris) watches which lines of our code and of Pillow's Python
are reached, not the decoders in C, and starts from one whole picture of each form. Prints how many
uploads were tried; fails if something else was raised or one took ten seconds, and keeps that one.
"""

import argparse
import importlib.util
import io
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

MAX_BYTES = 20_000  # of one upload: the seeds have 1 to 10 KB, and small ones are tried faster
CHILD = "--fuzz"  # libFuzzer ends its process, so it gets one of its own


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("Not fuzzed: atheris is not installed; it is made for Linux on x86-64.")
        return
    from tests.uploads import FORMS, whole

    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            (Path(folder) / form).write_bytes(whole(form, side=24))
        limits = [f"-max_total_time={options.seconds}", f"-max_len={MAX_BYTES}", "-timeout=10"]
        limits += ["-rss_limit_mb=2000", f"-seed={options.seed or 1}"]
        limits += [f"-artifact_prefix={ROOT}/stress/", folder]
        command = [sys.executable, __file__, CHILD, *limits]
        fuzzing = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
    said = fuzzing.stderr.strip().splitlines()
    if fuzzing.returncode:
        sys.exit("\n".join(said[-40:]))
    print([line for line in said if " cov: " in line][-1], said[-1], sep="\n")


def fuzz(arguments):
    """Send uploads to the reader until libFuzzer has had its time; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["PIL", "digits"]):
        from digits import images

    def read(data):
        with suppress(images.ImageError):
            images.read_digit(images.open_picture(io.BytesIO(data)))

    warnings.simplefilter("ignore")  # Pillow's, on damaged metadata
    atheris.Setup([sys.argv[0], *arguments], read)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        fuzz(sys.argv[2:])
    else:
        main()
