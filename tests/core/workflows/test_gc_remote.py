"""Removing from a remote: after a plain yes, never what a colleague may need, and never what is not an object."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import builders
import servers
from cleaning import EVERY, FORGET, NOW, backup, cached, clean, here, key, save
from modelkeep.core.errors import Refused
from modelkeep.core.project import Project
from modelkeep.core.workflows import gc, setup
from modelkeep.core.workflows.gc import Keep

DAY = 86400


def there(remote: Path, *contents: str) -> set[str]:
    """Those of `contents` that are on the remote."""
    return {one for one in contents if (remote / key(one)).exists()}


def age(remote: Path) -> None:
    """Make everything on the remote a day old."""
    for path in remote.rglob("*"):
        os.utime(path, (time.time() - DAY,) * 2, follow_symlinks=False)


@pytest.fixture
def old(shop: Project, remote: Path, git_remote: Path) -> Project:
    """The shop with a Git remote that has the same branches and tags, and objects that nobody is just sending."""
    builders.git(shop.root, "remote", "add", "origin", str(git_remote))
    builders.git(shop.root, "push", "--quiet", "--all", "origin")
    builders.git(shop.root, "push", "--quiet", "--tags", "origin")
    age(remote)
    return shop


def test_it_takes_a_plain_yes(old: Project, remote: Path) -> None:
    (old.root / ".dvc/cache" / key("v1")).unlink()
    for path in (old.root / ".dvc/cache").rglob("*.dir"):  # which version its files are of, the remote tells
        if path.name[:10] not in (old.root / "d.dvc").read_text():
            path.unlink()
    plan = gc.plan_gc(old, FORGET, cloud=True)
    assert plan.far is not None and key("v1") in plan.far.only_there
    assert len(plan.far.only_there) == 2
    assert next(one for one in plan.far.belongs if one.path == "d").objects == 2
    assert any(one.path == "f" and "side" in one.versions for one in plan.far.belongs)
    assert "gone for everybody" in plan.must_say_yes and "git fetch" in plan.must_say_yes
    with pytest.raises(Refused, match="gone for everybody"):
        gc.collect(old, plan, yes=False)
    assert there(remote, *EVERY) == set(EVERY)
    done = gc.collect(old, plan, yes=True)
    assert done.details["from_remote"] == len(plan.far.remove)
    assert there(remote, *EVERY) == here(old.root, *EVERY) == NOW
    assert len(list(remote.rglob("*.dir"))) == 1
    gc.undo(old)
    assert here(old.root, *EVERY) == set(EVERY) - {"v1"}, "what the cache had can still come back"


def test_strangers_on_a_remote_are_left_alone(old: Project, remote: Path) -> None:
    name = "0123456789abcdef0123456789abcd"
    strangers = [
        "ab/cdef",
        "README",
        f"files/md5/ab/{name}x",
        f"other/ab/{name}",
        "files/md5/.x.tmp",
        "runs/1",
    ]
    builders.write_tree(remote, dict.fromkeys(strangers, "x"))
    age(remote)
    clean(old, yes=True, cloud=True)
    assert all((remote / one).exists() for one in strangers)
    assert there(remote, *EVERY) == NOW


def test_versions_that_were_not_fetched_stop_it(
    old: Project, remote: Path, git_remote: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    builders.run("git", "clone", "--quiet", "--branch", "side", str(git_remote), str(theirs))
    save(theirs, f="a colleague's")
    builders.git(theirs, "push", "--quiet")
    builders.make_tag(theirs, "v9", "Theirs")
    builders.git(theirs, "push", "--quiet", "origin", "v9")
    backup(theirs, remote)
    age(remote)
    with pytest.raises(Refused, match="may not know all versions") as error:
        gc.plan_gc(old, FORGET, cloud=True)
    assert (
        "origin has versions" in error.value.detail
        and "side" in error.value.detail
        and "v9" in error.value.detail
    )
    builders.git(old.root, "fetch", "--quiet", "--no-tags")
    with pytest.raises(Refused, match="may not know all versions") as error:
        gc.plan_gc(old, FORGET, cloud=True)
    assert "v9" in error.value.detail
    builders.git(old.root, "fetch", "--quiet", "--tags")
    clean(old, Keep(branches=True, stashes=False, reflog=False), yes=True, cloud=True)
    assert there(remote, *EVERY, "a colleague's") == NOW | {"side", "a of v1", "a colleague's"}
    assert here(old.root, "a colleague's") == set()


def test_force_goes_on_and_says_so(old: Project, remote: Path, git_remote: Path) -> None:
    builders.git(old.root, "remote", "set-url", "origin", str(git_remote.parent / "nowhere"))
    with pytest.raises(Refused, match="may not know all versions") as error:
        gc.plan_gc(old, FORGET, cloud=True)
    assert "could not be asked" in error.value.detail
    plan = gc.plan_gc(old, FORGET, cloud=True, force=True)
    assert "could not be asked" in " ".join(plan.notes)
    gc.collect(old, plan, yes=True)
    assert there(remote, *EVERY) == NOW


def test_a_shallow_clone_knows_too_little(old: Project, git_remote: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    builders.run("git", "clone", "--quiet", "--depth=1", f"file://{git_remote}", str(shallow))
    with pytest.raises(Refused) as error:
        gc.plan_gc(Project.open(shallow, vault=old.vault), Keep(commits=True), cloud=True)
    assert "shallow" in error.value.detail


def test_without_a_git_remote_it_is_said(shop: Project) -> None:
    assert "no Git remote to ask" in " ".join(gc.plan_gc(shop, FORGET, cloud=True).notes)


def test_what_a_colleague_is_sending_stays(old: Project, remote: Path, tmp_path: Path) -> None:
    """Objects of the last hours, and the old ones that a young list of files names."""
    theirs = builders.make_project(tmp_path / "theirs")
    builders.track_folder(theirs, "d", {"a": "a of v1", "new": "just sent"})
    for path in (theirs / ".dvc/cache").rglob("*"):
        place = remote / path.relative_to(theirs / ".dvc/cache")
        if path.is_file() and not place.exists():
            builders.write_tree(place.parent, {place.name: path.read_bytes()})
    plan = gc.plan_gc(old, FORGET, cloud=True)
    assert plan.far is not None and plan.far.young == 2
    gc.collect(old, plan, yes=True)
    assert there(remote, *EVERY, "just sent") == NOW | {"a of v1", "just sent"}
    assert len(list(remote.rglob("*.dir"))) == 2


def test_the_age_is_told_by_the_clock_of_the_remote(old: Project, remote: Path) -> None:
    """Not by ours: a file from the future is young, whatever we think what time it is."""
    os.utime(remote / key("v1"), (time.time() + 30 * DAY,) * 2)
    clean(old, yes=True, cloud=True)
    assert there(remote, *EVERY) == NOW | {"v1"}


def test_what_arrives_after_the_plan_stops_it(old: Project, remote: Path) -> None:
    plan = gc.plan_gc(old, FORGET, cloud=True)
    builders.put_object(remote, b"of a push that runs")
    with pytest.raises(Refused, match="sending data to storage at this moment"):
        gc.collect(old, plan, yes=True)
    assert there(remote, *EVERY) == here(old.root, *EVERY) == set(EVERY)


def test_refs_that_arrive_after_the_plan_stop_it(
    old: Project, remote: Path, git_remote: Path, tmp_path: Path
) -> None:
    """A rollback sends no object at all, only a commit."""
    plan = gc.plan_gc(old, FORGET, cloud=True)
    theirs = tmp_path / "theirs"
    builders.run("git", "clone", "--quiet", str(git_remote), str(theirs))
    builders.git(theirs, "checkout", "--quiet", "v1", "--", "f.dvc")
    builders.make_commit(theirs, {}, "Back to v1")
    builders.git(theirs, "push", "--quiet")
    with pytest.raises(Refused, match="may not know all versions"):
        gc.collect(old, plan, yes=True)
    assert there(remote, *EVERY) == set(EVERY)


@pytest.mark.parametrize("kind", ["shell", "sftp_only"])
def test_on_a_server(shop: Project, ssh_server: servers.SshServer, home: Path, kind: str) -> None:
    account: servers.Account | None = getattr(ssh_server, kind)
    if account is None:
        pytest.skip(servers.NO_ROOT)
    place = account.folder / f"gc-{shop.root.parent.name}"
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh/known_hosts").write_text(ssh_server.known_hosts() + "\n")
    setup.add_remote(shop, "far", ssh_server.url(account, place.name))
    (shop.root / ".dvc/config.local").write_text(f"['remote \"far\"']\n    keyfile = {ssh_server.key}\n")
    shop.reload()
    builders.write_tree(place, {"ab/cdef": "x"})
    backup(shop.root, place)
    age(place)
    builders.put_object(place, b"young")
    owner = account.folder.stat()
    for path in (place, *place.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    plan = gc.plan_gc(shop, FORGET, cloud=True, remote="far")
    assert plan.far is not None and plan.far.young == 1 and not plan.only_here
    gc.collect(shop, plan, yes=True)
    assert there(place, *EVERY, "young") == NOW | {"young"}
    assert (place / "ab/cdef").exists()
    assert not [one for one in cached(shop.root) if key("v1") == one]
