"""The notebook that makes `model.h5`: it runs from end to end, and it is committed as it ran."""

from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from digits import model
from digits.rows import first_of_each_digit, read_rows
from tests.mnist_files import write_mnist

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "modelbuilding.ipynb"
TRAINING, TESTING = 600, 300  # rows of train.csv that stand in for MNIST's 60,000 and 10,000
PER_DIGIT = 10
WRITTEN = ["model.h5", "train.csv"]


@pytest.fixture(scope="module")
def few_rows():
    digits, labels = read_rows(ROOT / "train.csv")
    return digits[: TRAINING + TESTING], labels[: TRAINING + TESTING]


@pytest.fixture(scope="module")
def ran(few_rows, tmp_path_factory):
    """The notebook as it ran on few rows for one epoch, and the folder it wrote to."""
    mnist, out = tmp_path_factory.mktemp("mnist"), tmp_path_factory.mktemp("out")
    digits, labels = few_rows
    parts = {"train": slice(TRAINING), "t10k": slice(TRAINING, None)}
    for part, rows in parts.items():
        write_mnist(mnist, part, digits[rows], labels[rows])
    settings = {
        "MNIST_DIR": mnist,
        "OUT": out,
        "WORK": out / "training",
        "EPOCHS": 1,
        "PER_DIGIT": PER_DIGIT,
        "FOREIGN": 20,
    }
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}})
    before = contents()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, str(value))
        client.execute()  # raises at the first cell that fails
    assert contents() == before, "the notebook wrote to the project's own files"
    return notebook, out


def contents():
    """What the project's own copies of the files hold that the notebook writes."""
    return [(ROOT / name).read_bytes() for name in WRITTEN if (ROOT / name).exists()]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(notebook):
    """All text of a notebook: what was written and what was printed, without the pictures."""
    for cell in notebook.cells:
        yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("text", "")
            yield from (
                text for form, text in output.get("data", {}).items() if form.startswith("text/")
            )


def test_notebook_on_few_rows_writes_a_model_that_answers(ran, few_rows):
    _, out = ran
    net = model.load(out / "model.h5")
    answers = model.predict(net, few_rows[0][:7])
    assert answers.shape == (7, 10)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_notebook_on_few_rows_writes_first_rows_of_each_digit(ran, few_rows):
    _, out = ran
    digits, labels = few_rows[0][:TRAINING], few_rows[1][:TRAINING]
    expected = first_of_each_digit(labels, PER_DIGIT)
    written, written_labels = read_rows(out / "train.csv")
    assert len(written) == 10 * PER_DIGIT
    np.testing.assert_array_equal(written, digits[expected])
    np.testing.assert_array_equal(written_labels, labels[expected])


def test_notebook_on_few_rows_leaves_only_whole_files(ran):
    _, out = ran
    assert sorted(path.name for path in out.iterdir()) == sorted([*WRITTEN, "training"])


def test_notebook_on_few_rows_prints_no_warnings(ran):
    notebook, _ = ran
    noise = [
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.get("name") == "stderr"
    ]
    assert not noise


def test_committed_notebook_is_executed_in_order():
    cells = code_cells(nbformat.read(NOTEBOOK, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def test_committed_notebook_has_neither_errors_nor_warnings():
    outputs = [
        output
        for cell in code_cells(nbformat.read(NOTEBOOK, as_version=4))
        for output in cell.outputs
    ]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]


def test_committed_notebook_names_no_local_path():
    text = "\n".join(words(nbformat.read(NOTEBOOK, as_version=4)))
    found = [path for path in ("/work", "/tmp", "/home", "/root", "/Users") if path in text]
    assert not found


def test_committed_notebook_is_small_enough_to_view():
    assert NOTEBOOK.stat().st_size < 2_000_000
