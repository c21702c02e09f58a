"""Published versions of `model.h5`: no network is needed, any bytes will do."""

import hashlib

import pytest

from digits import durable, versions
from digits.home import MODEL
from digits.model import ModelError
from digits.versions import networks


@pytest.fixture
def home(home):
    """A home where the first network was shipped and nothing else happened."""
    home.model.write_bytes(b"shipped")
    return home


def serve(home, content):
    """Publish the content; return its version."""
    candidate = home.folder / "candidate.h5"
    candidate.write_bytes(content)
    report = versions.Report(content.decode())
    return versions.publish(home, candidate, versions.current(home), report)


def place(home, content):
    """Put the content in service by hand."""
    home.model.write_bytes(content)


def served(home):
    return home.model.read_bytes()


def first(home):
    """The baseline's content, or None."""
    path = versions.baseline(home)
    return path and path.read_bytes()


def decisions(home):
    return [(record.decision, record.short) for record in versions.history(home)]


def test_current_new_home_is_version_one_and_writes_nothing(home):
    version = versions.current(home)
    assert version.sha256 == hashlib.sha256(b"shipped").hexdigest()
    assert version.name == f"v1-{version.sha256[:8]}"
    assert version.short == "v1"
    assert [path.name for path in home.folder.iterdir()] == [MODEL]


def test_current_no_model_raises_file_not_found(home):
    home.model.unlink()
    with pytest.raises(FileNotFoundError):
        versions.current(home)


def test_register_twice_records_and_keeps_once(home):
    assert versions.register(home).name == versions.register(home).name
    assert decisions(home) == [(versions.PLACED, "v1")]
    assert versions.kept(home) == [versions.current(home).name]


def test_publish_candidate_serves_with_a_record_of_where_it_came_from(home):
    version = serve(home, b"better")
    assert served(home) == b"better"
    assert versions.current(home) == version
    assert decisions(home) == [(versions.PLACED, "v1"), (versions.PUBLISHED, "v2")]
    placed, published = versions.history(home)
    assert (published.parent, published.run.reason) == (placed.version, "better")
    assert published.sha256 == hashlib.sha256(b"better").hexdigest()


@pytest.mark.parametrize("by_hand", [b"by hand", None])
def test_publish_model_replaced_or_removed_meanwhile_stays_so_and_nothing_is_recorded(
    home, by_hand
):
    serve(home, b"second")
    parent = versions.current(home)
    if by_hand:
        place(home, by_hand)
    else:
        durable.remove(home.model)
    before = versions.history(home), versions.kept(home)
    candidate = home.folder / "candidate.h5"
    candidate.write_bytes(b"third")
    with pytest.raises(versions.VersionError, match="was replaced or removed while the run worked"):
        versions.publish(home, candidate, parent, versions.Report("better"))
    home.follow()
    assert (served(home) if home.model.exists() else None) == by_hand
    assert (versions.history(home), versions.kept(home)) == before


def test_publish_candidate_that_is_the_parent_to_the_byte_serves_as_a_new_version(home):
    serve(home, b"second")
    version = serve(home, b"second")
    assert (version.short, versions.current(home)) == ("v3", version)
    assert decisions(home)[-1] == (versions.PUBLISHED, "v3")


# Killed on the way


class Killed(BaseException):
    """What ends a change of the network in service, in the place of a kill."""


def die(*_):
    raise Killed


BEFORE_ANNOUNCED, BEFORE_REPLACED, BEFORE_RECORDED, BEFORE_WITHDRAWN = DEATHS = (
    ("announce", False),
    ("durable.write", False),
    ("append", True),
    ("withdraw", True),
)


def kill(home, where, act, monkeypatch):
    """Do act, but end it where that step of a change would come."""
    with monkeypatch.context() as patch:
        if where == "durable.write":
            write = versions.durable.write
            patch.setattr(
                versions.durable,
                "write",
                lambda path, data: die() if path == home.model else write(path, data),
            )
        else:
            patch.setattr(versions, where, die)
        with pytest.raises(Killed):
            act(home)


def last_serving(home):
    """The last record of a network that came into service."""
    return [one for one in versions.history(home) if one.decision != versions.REFUSED][-1]


def publish_second(home):
    serve(home, b"second")


def put_the_first_back(home):
    versions.roll_back(home, "v1")


def put_a_stand_in(home):
    place(home, b"rotten")
    versions.restore(home, versions.serving(home, load_bytes).version)


ACTS = [
    (publish_second, b"second", versions.PUBLISHED),
    (put_the_first_back, b"shipped", versions.ROLLED_BACK),
    (put_a_stand_in, b"before", versions.RESTORED),
]


@pytest.mark.parametrize(("act", "content", "decision"), ACTS)
@pytest.mark.parametrize(("where", "done"), DEATHS)
def test_settle_after_a_kill_the_history_ends_with_what_serves(
    where, done, act, content, decision, home, monkeypatch
):
    before = serve(home, b"before")
    recorded = versions.history(home)
    kill(home, where, act, monkeypatch)
    versions.settle(home)
    if done:
        assert served(home) == content
        assert last_serving(home).decision == decision
        assert last_serving(home).sha256 == hashlib.sha256(content).hexdigest()
        assert last_serving(home).version == versions.current(home).name
        assert versions.history(home)[:-1] == recorded
    else:
        assert served(home) in (b"before", b"rotten")  # the second was there before
        assert versions.history(home) == recorded
        assert last_serving(home).sha256 == before.sha256
    settled = versions.history(home)
    versions.settle(home)  # nothing is announced any more
    assert versions.history(home) == settled
    act(home)
    assert served(home) == content
    assert last_serving(home).sha256 == hashlib.sha256(content).hexdigest()


def test_settle_killed_between_recorded_and_withdrawn_records_once(home, monkeypatch):
    serve(home, b"before")
    kill(home, "withdraw", publish_second, monkeypatch)
    once = decisions(home)
    assert once[-1] == (versions.PUBLISHED, "v3")
    versions.settle(home)
    assert decisions(home) == once


def test_settle_another_file_placed_after_the_kill_voids_what_was_announced(home, monkeypatch):
    serve(home, b"before")
    kill(home, "append", publish_second, monkeypatch)
    place(home, b"by hand")
    before = decisions(home)
    versions.settle(home)
    assert decisions(home) == before
    assert not home.announced.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff"])
def test_settle_damaged_announcement_records_nothing(content, home):
    serve(home, b"before")
    before = decisions(home)
    home.announced.write_bytes(content)
    versions.settle(home)
    assert decisions(home) == before


# Rolling back


@pytest.mark.parametrize("how", ["short", "name"])
def test_roll_back_any_kept_version_is_exact_and_recorded(how, home):
    content = b"shipped", b"second\r\n\0", b"third"
    known = [versions.register(home), *(serve(home, data) for data in content[1:])]
    for version, data in zip(known, content, strict=True):
        assert versions.roll_back(home, getattr(version, how)).name == version.name
        assert served(home) == data
        assert versions.current(home).name == version.name
    assert decisions(home)[-3:] == [(versions.ROLLED_BACK, f"v{n}") for n in (1, 2, 3)]


def test_roll_back_then_publish_takes_a_new_number(home):
    serve(home, b"second")
    versions.roll_back(home, "v1")
    assert serve(home, b"third").short == "v3"


def test_roll_back_from_a_file_placed_by_hand_keeps_that_file(home):
    serve(home, b"second")
    place(home, b"by hand")
    versions.roll_back(home, "v2")
    versions.roll_back(home, "v3")
    assert served(home) == b"by hand"


@pytest.mark.parametrize("name", ["v9", "v", "", "1", "../model"])
def test_roll_back_unknown_version_lists_those_kept_and_changes_nothing(name, home):
    version = serve(home, b"second")
    before = versions.history(home)
    with pytest.raises(versions.VersionError) as caught:
        versions.roll_back(home, name)
    assert all(full in str(caught.value) for full in versions.kept(home))
    assert versions.current(home) == version
    assert versions.history(home) == before


def test_refuse_leaves_the_version_in_service(home):
    serve(home, b"second")
    version = versions.current(home)
    assert versions.refuse(home, versions.Report("no better")) == version
    assert versions.current(home) == version
    last = versions.history(home)[-1]
    assert (last.decision, last.version, last.run.reason) == (
        versions.REFUSED,
        version.name,
        "no better",
    )
    assert serve(home, b"third").short == "v3"


def test_baseline_follows_what_a_person_placed_and_nothing_else(home):
    assert first(home) == b"shipped"
    versions.register(home)
    assert first(home) == b"shipped"
    serve(home, b"second")
    assert first(home) == b"shipped"
    place(home, b"by hand")
    assert first(home) == b"by hand"
    assert versions.register(home).short == "v3"
    serve(home, b"fourth")
    assert first(home) == b"by hand"
    versions.roll_back(home, "v1")
    assert first(home) == b"shipped"


def test_baseline_that_was_lost_is_none(home):
    serve(home, b"second")
    (home.versions / f"{versions.kept(home)[0]}.h5").unlink()
    assert versions.baseline(home) is None


def test_publish_more_than_kept_thins_the_oldest_but_the_baseline(home):
    for number in range(2, networks.KEPT + 5):
        serve(home, b"network %d" % number)
    numbers = [int(versions.short_name(name)[1:]) for name in versions.kept(home)]
    assert numbers == [1, *range(5, networks.KEPT + 5)]
    assert len(versions.history(home)) == networks.KEPT + 4
    assert first(home) == b"shipped"
    assert served(home) == b"network %d" % (networks.KEPT + 4)
    assert not list(home.folder.rglob("*.partial"))


def test_history_torn_line_loses_only_itself(home):
    serve(home, b"second")
    before = versions.history(home)
    path = home.history
    path.write_text(path.read_text() + '{"decision": "published", "vers')
    assert versions.history(home) == before
    assert serve(home, b"third").short == "v3"
    assert versions.history(home)[:-1] == before


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"decision": [], "version": {}, "sha256": 1, "when": {}}',
        '{"decision": "placed", "version": null, "sha256": "1", "when": ""}',
        '{"decision": "placed", "version": "first", "sha256": "1", "when": ""}',
        '{"decision": "refused", "version": "v1", "sha256": "1", "when": "", "reason": 7}',
        '{"decision": "refused", "version": "v1", "sha256": "1", "when": "", "reason": "",'
        ' "interval_after": ["low", "high"]}',
    ],
)
def test_history_line_of_another_shape_is_none(line, home):
    serve(home, b"second")
    before = versions.history(home)
    with open(home.history, "a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")
    assert versions.history(home) == before
    assert serve(home, b"third").short == "v3"


def test_roll_back_version_whose_file_was_changed_is_refused(home):
    serve(home, b"second")
    (home.versions / f"{versions.kept(home)[0]}.h5").write_bytes(b"rotten")
    with pytest.raises(versions.VersionError, match="was changed"):
        versions.roll_back(home, "v1")
    assert home.model.read_bytes() == b"second"


def test_kept_foreign_file_is_none_of_ours(home):
    versions.register(home)
    before = versions.kept(home)
    (home.versions / "vgg-16.h5").write_bytes(b"")
    assert versions.kept(home) == before


def load_bytes(path):
    """A network is what it says, unless it says that it is rotten."""
    content = path.read_bytes() if path.exists() else b"rotten"
    if content.startswith(b"rotten"):
        raise ModelError(f"{path} is rotten.")
    return content


def test_serving_sound_model_serves_itself(home):
    serve(home, b"second")
    assert versions.serving(home, load_bytes) == versions.Serving(
        b"second", versions.current(home), ""
    )


def damage(home):
    place(home, b"rotten")


def lose(home):
    home.model.unlink()


@pytest.mark.parametrize("hurt", [damage, lose])
def test_serving_damaged_model_is_stood_in_for_by_the_last_that_served(hurt, home):
    serve(home, b"second")
    serve(home, b"third")
    versions.roll_back(home, "v2")
    hurt(home)
    serving = versions.serving(home, load_bytes)
    assert (serving.net, serving.version.short) == (b"second", "v2")
    assert "model.h5 is rotten" in serving.problem
    assert "v2" in serving.problem


def test_serving_damaged_versions_are_passed_over(home):
    serve(home, b"second")
    serve(home, b"third")
    third, second = (home.versions / f"{name}.h5" for name in versions.kept(home)[:0:-1])
    third.write_bytes(b"changed since")
    second.unlink()
    damage(home)
    assert versions.serving(home, load_bytes).net == b"shipped"


def test_serving_history_lost_takes_the_newest_kept(home):
    serve(home, b"second")
    damage(home)
    home.history.unlink()
    assert versions.serving(home, load_bytes).net == b"second"


def test_serving_nothing_sound_raises_what_load_says_of_the_model(home):
    damage(home)
    with pytest.raises(ModelError, match=r"model\.h5 is rotten"):
        versions.serving(home, load_bytes)


@pytest.mark.parametrize("hurt", [damage, lose])
def test_restore_stand_in_serves_and_the_damaged_is_kept(hurt, home):
    serve(home, b"second")
    hurt(home)
    assert not versions.is_recorded(home)
    versions.restore(home, versions.serving(home, load_bytes).version)
    assert served(home) == b"second"
    assert versions.is_recorded(home)
    assert decisions(home)[-1] == (versions.RESTORED, "v2")
    kept = home.versions / versions.DAMAGED
    assert kept.exists() == (hurt is damage)
    assert serve(home, b"third").short == "v3"
    assert first(home) == b"shipped"
