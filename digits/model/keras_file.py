"""What stands in a file that people call `model.h5`, looked at before Keras trusts it.

Nothing in it is run. Whatever cannot serve is named, with the line that mends it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

MAX_BYTES = 256 * 2**20  # of weights as they unpack: a host of 1 GB must hold them twice
HDF5 = b"\x89HDF\r\n\x1a\n"
DAMAGED = "{} is damaged or cut off: copy it again, or restore it from git or from versions/."
BEGINNINGS = {  # of files of other kinds, and what is said of them
    b"version https://git-lfs": "is a Git LFS pointer, not the network: run `git lfs pull`",
    b"PK\x03\x04": "is a zip: if it is Keras' .keras format, rename it to net.keras and run "
    "keras.models.load_model('net.keras').save('model.h5')",
}
# Where Keras may look up what a file names: nothing there reads files, opens addresses or runs
# code, once Lambda is refused.
TRUSTED = re.compile(
    r"keras(\.(layers|initializers|regularizers|constraints|activations)"
    r"|\.src\.models\.(functional|sequential)|\.src\.ops\.\w+)?"
)
FOREIGN_CODE = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper")


class ModelError(RuntimeError):
    """A model file that cannot serve; the message names the file and the remedy."""


def read_config(path: str | Path) -> dict[str, Any]:
    """Return the description of the network in a Keras file.

    Raises ModelError when the file is missing, of another kind, damaged, or holds foreign code,
    weights that are no finite numbers, or more of them than this machine should take.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"There is no model at {path}: run modelbuilding.ipynb, or restore it.")
    try:
        with open(path, "rb") as stream:
            beginning = stream.read(32)
    except OSError as error:
        owner = "give it to the user who runs this"
        raise ModelError(f"{path} cannot be read ({error.strerror}): {owner}.") from error
    for start, kind in BEGINNINGS.items():
        if beginning.startswith(start):
            raise ModelError(f"{path} {kind}.")
    if not beginning.startswith(HDF5):
        raise ModelError(
            f"{path} is no Keras network in HDF5: write one with net.save('model.h5'), or restore "
            "it from git or from versions/."
        )
    try:
        with h5py.File(path, "r") as file:
            config = json.loads(file.attrs.get("model_config", "null"))
            fault = next(_faults(file, config), None)
    # RuntimeError, KeyError: what h5py raises when the file's own tables are damaged.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ModelError(DAMAGED.format(path)) from error
    if fault:
        raise ModelError(f"{path} {fault}.")
    return config


def _faults(file: h5py.File, config: Any) -> Iterator[str]:
    """Yield what keeps the file from serving."""
    if not isinstance(config, dict):
        yield (
            "holds weights, but no network: save both, net.save('model.h5') instead of "
            "net.save_weights, or restore it from versions/"
        )
    for part in parts(config):
        kind, module = part.get("class_name"), part.get("module") or "keras"
        if kind in FOREIGN_CODE or not TRUSTED.fullmatch(str(module)):
            yield (
                f"holds code of its maker's ({str(kind)[:40]}), which is never run here: rebuild "
                "it from Keras' own layers, such as Rescaling"
            )
    links: list[Any] = []
    file.visititems_links(lambda _, link: links.append(link))
    if not all(isinstance(link, h5py.HardLink) for link in links):
        yield "points to other files: save the whole network, net.save('model.h5')"
    arrays: list[h5py.Dataset] = []
    file["model_weights"].visititems(
        lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None
    )
    if any(array.external or array.is_virtual for array in arrays):
        yield "points to other files: save the whole network, net.save('model.h5')"
    if sum(array.nbytes for array in arrays) > MAX_BYTES:
        yield f"holds more than {MAX_BYTES // 2**20} MB of weights: bring a smaller network"
    if not all(np.isfinite(array[()]).all() for array in arrays):
        yield "has weights that are no finite numbers: train it again at a lower learning rate"


def parts(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that a description names: network, layers, initializers and so on."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        config = list(config.values())
    if isinstance(config, list):
        for one in config:
            yield from parts(one)
