"""Published versions of `model.h5`: no network is needed, any bytes will do."""

import hashlib

import pytest

from digits import versions
from digits.model import ModelError


@pytest.fixture
def root(tmp_path):
    """A root where the first network was shipped and nothing else happened."""
    (tmp_path / versions.MODEL).write_bytes(b"shipped")
    return tmp_path


def serve(root, content):
    """Publish the content; return its version."""
    candidate = root / "candidate.h5"
    candidate.write_bytes(content)
    return versions.publish(root, candidate, {"note": content.decode()})


def place(root, content):
    """Put the content in service by hand."""
    (root / versions.MODEL).write_bytes(content)


def served(root):
    return (root / versions.MODEL).read_bytes()


def first(root):
    """The baseline's content, or None."""
    path = versions.baseline(root)
    return path and path.read_bytes()


def decisions(root):
    return [(r["decision"], r["version"].partition("-")[0]) for r in versions.history(root)]


def test_current_new_root_is_version_one_and_writes_nothing(root):
    version = versions.current(root)
    assert version.sha256 == hashlib.sha256(b"shipped").hexdigest()
    assert version.name == f"v1-{version.sha256[:8]}"
    assert version.short == "v1"
    assert [path.name for path in root.iterdir()] == [versions.MODEL]


def test_current_no_model_raises_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        versions.current(tmp_path)


def test_register_twice_records_and_keeps_once(root):
    assert versions.register(root).name == versions.register(root).name
    assert decisions(root) == [(versions.PLACED, "v1")]
    assert versions.kept(root) == [versions.current(root).name]


def test_publish_candidate_serves_with_a_record_of_where_it_came_from(root):
    version = serve(root, b"better")
    assert served(root) == b"better"
    assert versions.current(root) == version
    assert decisions(root) == [(versions.PLACED, "v1"), (versions.PUBLISHED, "v2")]
    placed, published = versions.history(root)
    assert (published["parent"], published["note"]) == (placed["version"], "better")
    assert published["sha256"] == hashlib.sha256(b"better").hexdigest()


def test_publish_killed_before_the_last_step_leaves_the_old_network(root):
    serve(root, b"better")
    place(root, b"shipped")  # as if `model.h5` had not been renamed yet
    assert versions.current(root).short == "v1"
    assert serve(root, b"better").short == "v3"
    assert versions.current(root).short == "v3"


@pytest.mark.parametrize("how", ["short", "name"])
def test_roll_back_any_kept_version_is_exact_and_recorded(how, root):
    content = b"shipped", b"second\r\n\0", b"third"
    known = [versions.register(root), *(serve(root, data) for data in content[1:])]
    for version, data in zip(known, content, strict=True):
        assert versions.roll_back(root, getattr(version, how)).name == version.name
        assert served(root) == data
        assert versions.current(root).name == version.name
    assert decisions(root)[-3:] == [(versions.ROLLED_BACK, f"v{n}") for n in (1, 2, 3)]


def test_roll_back_then_publish_takes_a_new_number(root):
    serve(root, b"second")
    versions.roll_back(root, "v1")
    assert serve(root, b"third").short == "v3"


def test_roll_back_from_a_file_placed_by_hand_keeps_that_file(root):
    serve(root, b"second")
    place(root, b"by hand")
    versions.roll_back(root, "v2")
    versions.roll_back(root, "v3")
    assert served(root) == b"by hand"


@pytest.mark.parametrize("name", ["v9", "v", "", "1", "../model"])
def test_roll_back_unknown_version_lists_those_kept_and_changes_nothing(name, root):
    version = serve(root, b"second")
    before = versions.history(root)
    with pytest.raises(versions.VersionError) as caught:
        versions.roll_back(root, name)
    assert all(full in str(caught.value) for full in versions.kept(root))
    assert versions.current(root) == version
    assert versions.history(root) == before


def test_append_refused_run_leaves_the_version_in_service(root):
    serve(root, b"second")
    version = versions.current(root)
    versions.append(root, versions.REFUSED, version, reason="no better")
    assert versions.current(root) == version
    assert versions.history(root)[-1]["reason"] == "no better"
    assert serve(root, b"third").short == "v3"


def test_baseline_follows_what_a_person_placed_and_nothing_else(root):
    assert first(root) == b"shipped"
    versions.register(root)
    assert first(root) == b"shipped"
    serve(root, b"second")
    assert first(root) == b"shipped"
    place(root, b"by hand")
    assert first(root) == b"by hand"
    assert versions.register(root).short == "v3"
    serve(root, b"fourth")
    assert first(root) == b"by hand"
    versions.roll_back(root, "v1")
    assert first(root) == b"shipped"


def test_baseline_that_was_lost_is_none(root):
    serve(root, b"second")
    (root / versions.FOLDER / f"{versions.kept(root)[0]}.h5").unlink()
    assert versions.baseline(root) is None


def test_publish_more_than_kept_thins_the_oldest_but_the_baseline(root):
    for number in range(2, versions.KEPT + 5):
        serve(root, b"network %d" % number)
    numbers = [int(name.partition("-")[0][1:]) for name in versions.kept(root)]
    assert numbers == [1, *range(5, versions.KEPT + 5)]
    assert len(versions.history(root)) == versions.KEPT + 4
    assert first(root) == b"shipped"
    assert served(root) == b"network %d" % (versions.KEPT + 4)
    assert not list(root.rglob("*.partial"))


def test_history_torn_line_loses_only_itself(root):
    serve(root, b"second")
    before = versions.history(root)
    path = root / versions.FOLDER / versions.HISTORY
    path.write_text(path.read_text() + '{"decision": "published", "vers')
    assert versions.history(root) == before
    assert serve(root, b"third").short == "v3"
    assert versions.history(root)[:-1] == before


def test_roll_back_version_whose_file_was_changed_is_refused(root):
    serve(root, b"second")
    (root / versions.FOLDER / f"{versions.kept(root)[0]}.h5").write_bytes(b"rotten")
    with pytest.raises(versions.VersionError, match="was changed"):
        versions.roll_back(root, "v1")
    assert (root / versions.MODEL).read_bytes() == b"second"


def test_kept_foreign_file_is_none_of_ours(root):
    versions.register(root)
    before = versions.kept(root)
    (root / versions.FOLDER / "vgg-16.h5").write_bytes(b"")
    assert versions.kept(root) == before


def load_bytes(path):
    """A network is what it says, unless it says that it is rotten."""
    content = path.read_bytes() if path.exists() else b"rotten"
    if content.startswith(b"rotten"):
        raise ModelError(f"{path} is rotten.")
    return content


def test_serviceable_sound_model_serves_itself(root):
    serve(root, b"second")
    assert versions.serviceable(root, load_bytes) == (b"second", versions.current(root), "")


def damage(root):
    place(root, b"rotten")


def lose(root):
    (root / versions.MODEL).unlink()


@pytest.mark.parametrize("hurt", [damage, lose])
def test_serviceable_damaged_model_is_stood_in_for_by_the_last_that_served(hurt, root):
    serve(root, b"second")
    serve(root, b"third")
    versions.roll_back(root, "v2")
    hurt(root)
    network, version, problem = versions.serviceable(root, load_bytes)
    assert (network, version.short) == (b"second", "v2")
    assert "model.h5 is rotten" in problem
    assert "v2" in problem


def test_serviceable_damaged_versions_are_passed_over(root):
    serve(root, b"second")
    serve(root, b"third")
    third, second = (root / versions.FOLDER / f"{name}.h5" for name in versions.kept(root)[:0:-1])
    third.write_bytes(b"changed since")
    second.unlink()
    damage(root)
    assert versions.serviceable(root, load_bytes)[0] == b"shipped"


def test_serviceable_history_lost_takes_the_newest_kept(root):
    serve(root, b"second")
    damage(root)
    (root / versions.FOLDER / versions.HISTORY).unlink()
    assert versions.serviceable(root, load_bytes)[0] == b"second"


def test_serviceable_nothing_sound_raises_what_load_says_of_the_model(root):
    damage(root)
    with pytest.raises(ModelError, match=r"model\.h5 is rotten"):
        versions.serviceable(root, load_bytes)


@pytest.mark.parametrize("hurt", [damage, lose])
def test_restore_stand_in_serves_and_the_damaged_is_kept(hurt, root):
    serve(root, b"second")
    hurt(root)
    assert not versions.is_recorded(root)
    versions.restore(root, versions.serviceable(root, load_bytes)[1])
    assert served(root) == b"second"
    assert versions.is_recorded(root)
    assert decisions(root)[-1] == (versions.RESTORED, "v2")
    kept = root / versions.FOLDER / versions.DAMAGED
    assert kept.exists() == (hurt is damage)
    assert serve(root, b"third").short == "v3"
    assert first(root) == b"shipped"
