"""The second process that loads a file afresh and answers."""

import numpy as np

from digits import model, versions
from digits.witness import Witness
from tests.roots import PROJECT


def test_witness_answers_in_order_and_outlives_a_file_that_does_not_load(few, shipped, tmp_path):
    digits = few[0]
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"no network")
    with Witness() as witness:
        witness.ask(PROJECT / versions.MODEL, digits)
        witness.ask(broken, digits)
        witness.ask(PROJECT / versions.MODEL, digits[:3])
        answers = [witness.answer() for _ in range(3)]
    assert np.allclose(answers[0], model.predict(shipped, digits), atol=1e-4)
    assert answers[1] is None
    assert np.allclose(answers[2], answers[0][:3], atol=1e-4)


def test_answer_of_a_witness_that_died_is_none(few):
    with Witness() as witness:
        witness._process.kill()
        witness._process.join()
        assert witness.answer() is None
