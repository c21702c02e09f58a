"""Published versions of `model.h5`: no network is needed, any bytes will do."""

import hashlib

import pytest

from digits import versions
from digits.home import MODEL
from digits.model import ModelError


@pytest.fixture
def home(home):
    """A home where the first network was shipped and nothing else happened."""
    home.model.write_bytes(b"shipped")
    return home


def serve(home, content):
    """Publish the content; return its version."""
    candidate = home.folder / "candidate.h5"
    candidate.write_bytes(content)
    return versions.publish(home, candidate, {"note": content.decode()})


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
    return [(r["decision"], r["version"].partition("-")[0]) for r in versions.history(home)]


def test_current_new_root_is_version_one_and_writes_nothing(home):
    version = versions.current(home)
    assert version.sha256 == hashlib.sha256(b"shipped").hexdigest()
    assert version.name == f"v1-{version.sha256[:8]}"
    assert version.short == "v1"
    assert [path.name for path in home.folder.iterdir()] == [MODEL]


def test_current_no_model_raises_file_not_found(home):
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
    assert (published["parent"], published["note"]) == (placed["version"], "better")
    assert published["sha256"] == hashlib.sha256(b"better").hexdigest()


def test_publish_killed_before_the_last_step_leaves_the_old_network(home):
    serve(home, b"better")
    place(home, b"shipped")  # as if `model.h5` had not been renamed yet
    assert versions.current(home).short == "v1"
    assert serve(home, b"better").short == "v3"
    assert versions.current(home).short == "v3"


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


def test_append_refused_run_leaves_the_version_in_service(home):
    serve(home, b"second")
    version = versions.current(home)
    versions.append(home, versions.REFUSED, version, reason="no better")
    assert versions.current(home) == version
    assert versions.history(home)[-1]["reason"] == "no better"
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
    for number in range(2, versions.KEPT + 5):
        serve(home, b"network %d" % number)
    numbers = [int(name.partition("-")[0][1:]) for name in versions.kept(home)]
    assert numbers == [1, *range(5, versions.KEPT + 5)]
    assert len(versions.history(home)) == versions.KEPT + 4
    assert first(home) == b"shipped"
    assert served(home) == b"network %d" % (versions.KEPT + 4)
    assert not list(home.folder.rglob("*.partial"))


def test_history_torn_line_loses_only_itself(home):
    serve(home, b"second")
    before = versions.history(home)
    path = home.history
    path.write_text(path.read_text() + '{"decision": "published", "vers')
    assert versions.history(home) == before
    assert serve(home, b"third").short == "v3"
    assert versions.history(home)[:-1] == before


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


def test_serviceable_sound_model_serves_itself(home):
    serve(home, b"second")
    assert versions.serving(home, load_bytes) == (b"second", versions.current(home), "")


def damage(home):
    place(home, b"rotten")


def lose(home):
    home.model.unlink()


@pytest.mark.parametrize("hurt", [damage, lose])
def test_serviceable_damaged_model_is_stood_in_for_by_the_last_that_served(hurt, home):
    serve(home, b"second")
    serve(home, b"third")
    versions.roll_back(home, "v2")
    hurt(home)
    network, version, problem = versions.serving(home, load_bytes)
    assert (network, version.short) == (b"second", "v2")
    assert "model.h5 is rotten" in problem
    assert "v2" in problem


def test_serviceable_damaged_versions_are_passed_over(home):
    serve(home, b"second")
    serve(home, b"third")
    third, second = (home.versions / f"{name}.h5" for name in versions.kept(home)[:0:-1])
    third.write_bytes(b"changed since")
    second.unlink()
    damage(home)
    assert versions.serving(home, load_bytes)[0] == b"shipped"


def test_serviceable_history_lost_takes_the_newest_kept(home):
    serve(home, b"second")
    damage(home)
    home.history.unlink()
    assert versions.serving(home, load_bytes)[0] == b"second"


def test_serviceable_nothing_sound_raises_what_load_says_of_the_model(home):
    damage(home)
    with pytest.raises(ModelError, match=r"model\.h5 is rotten"):
        versions.serving(home, load_bytes)


@pytest.mark.parametrize("hurt", [damage, lose])
def test_restore_stand_in_serves_and_the_damaged_is_kept(hurt, home):
    serve(home, b"second")
    hurt(home)
    assert not versions.is_recorded(home)
    versions.restore(home, versions.serving(home, load_bytes)[1])
    assert served(home) == b"second"
    assert versions.is_recorded(home)
    assert decisions(home)[-1] == (versions.RESTORED, "v2")
    kept = home.versions / versions.DAMAGED
    assert kept.exists() == (hurt is damage)
    assert serve(home, b"third").short == "v3"
    assert first(home) == b"shipped"
