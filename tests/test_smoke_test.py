"""A process of its own that loads a file again and predicts."""

import numpy as np
import pytest

from digits import model
from digits.home import MODEL
from digits.versions import smoke_test
from tests.homes import PROJECT


def test_predict_again_are_those_of_the_network_in_the_file(few, shipped, monkeypatch, tmp_path):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # cron sets nothing of the kind
    monkeypatch.chdir(PROJECT.parent)
    path = (PROJECT / MODEL).relative_to(PROJECT.parent)
    answers = smoke_test.predict_again(path, few[0])
    assert answers.dtype == np.float32
    assert np.allclose(answers, model.predict(shipped, few[0]), atol=1e-4)


@pytest.mark.parametrize("content", [None, b"", b"no network"])
def test_predict_again_file_that_does_not_load_gives_none_and_the_log_says_why(
    content, few, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(smoke_test.log, "propagate", True)
    caplog.set_level("INFO", smoke_test.log.name)
    path = tmp_path / MODEL
    if content is not None:
        path.write_bytes(content)
    assert smoke_test.predict_again(path, few[0]) is None
    assert str(path) in caplog.text
