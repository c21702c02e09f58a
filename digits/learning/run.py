"""One run: stored corrections in, a decision out; the candidate is published if the gate allows.

Read from top to bottom: `learn` gathers, studies and concludes.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from digits import model, versions
from digits.feedback import Correction
from digits.home import Home
from digits.learning import gate, mislabelled
from digits.learning.finetune import Progress
from digits.learning.interpolation import Outcome, report_of
from digits.learning.material import Material, fingerprint_of, gather, last_fingerprint
from digits.learning.study import study
from digits.learning.upkeep import scratch_folder
from digits.versions import receipts
from digits.versions.smoke_test import predict_again

SWITCHES = ("replay", "gate")  # guards that a lesson may switch off in its sandbox

log = logging.getLogger("digits")


@dataclass(frozen=True)
class Request:
    """What is asked of a run.

    trigger: who asks, for the history. dry_run: publish and record nothing. force: train even if
    nothing is new. without: which of SWITCHES are off.
    """

    trigger: str
    dry_run: bool = False
    force: bool = False
    without: Sequence[str] = ()


@dataclass(frozen=True)
class Ending:
    """How a run ends: a word for the page and a sentence for everybody."""

    state: str
    message: str


def learn(
    home: Home, request: Request, corrections: list[Correction], progress: Progress
) -> Ending:
    """Train on the corrections, judge the candidate, publish it if the gate allows.

    The caller holds the run's lock, unless it is a dry run. Raises ModelError, DataError,
    StoreError or VersionError when something that a run needs cannot be used.
    """
    if not corrections:
        return Ending("nothing to learn", "Nothing to learn: no corrections are stored.")
    began = time.monotonic()
    fingerprint = fingerprint_of(home, corrections)
    if not request.force and fingerprint == last_fingerprint(home):
        return Ending("nothing new", "Nothing new to learn since the last run.")
    seed = int(fingerprint[:8], 16)  # the same corrections, the same candidate
    with ThreadPoolExecutor(1) as meanwhile:  # TensorFlow's import takes longer than all reading
        meanwhile.submit(model.prepare)
        material = gather(home, corrections, seed, progress)
    for warning in material.warnings:
        log.warning(warning)
    if not material.corrections:
        unread = f"none of {len(corrections)} corrections can be read"
        return Ending("nothing to learn", f"Nothing to learn: {unread}.")
    parent = versions.current(home)
    doubts, outcome = study(home, material, seed, request.without, progress)
    if request.dry_run:
        word = "published" if outcome.decision.allowed else "refused"
        reason = outcome.decision.reason
        return Ending("dry run", f"Dry run: the candidate would be {word}: {reason}.")
    progress("Publishing", 0.9)
    report = replace(
        report_of(outcome, doubts),
        trigger=request.trigger,
        fingerprint=fingerprint,
        seconds=round(time.monotonic() - began, 1),
    )
    return conclude(home, material, doubts, outcome, parent, report)


def conclude(
    home: Home,
    material: Material,
    doubts: mislabelled.Doubts,
    outcome: Outcome,
    parent: versions.Version,
    report: versions.Report,
) -> Ending:
    """Publish the candidate or record its refusal, with a receipt either way."""
    with scratch_folder(home) as folder:
        path = folder / "candidate.h5"  # Keras refuses other endings
        decision = outcome.decision
        if decision.allowed:
            model.save(outcome.candidate, path)
            loaded = predict_again(path, material.rows[0])
            decision = gate.file_differs(outcome.corrections.after, loaded) or decision
        predictions = outcome.corrections, outcome.held_out
        number = len(versions.history(home)) + 1
        receipt = receipts.write(
            home, number, material.corrections, *predictions, material.held_out[0], doubts.reasons
        )
        report = replace(report, reason=decision.reason, receipt=receipt)
        log.info("Measured %s", json.dumps(asdict(report)))
        if decision.allowed:
            version = versions.publish(home, path, parent, report)
            message = f"Published {version.short}: {decision.reason}."
            return Ending(versions.PUBLISHED, message)
    version = versions.refuse(home, report)
    return Ending(versions.REFUSED, f"Refused, {version.short} stays: {decision.reason}.")
