"""A flipped, truncated or missing object on either side is found before it is used or spread, and nothing is
called safe from memory alone."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
import servers
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.engine import objectstore
from modelkeep.core.engine.cache import Cache
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.project import Project
from modelkeep.core.values import Presence, State
from modelkeep.core.workflows import data, publish, review, setup

TWO = b"two\n"
FINE, ERROR = "fine", "error"
KINDS = ("file", "manifest")


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    path.chmod(0o444)  # as DVC leaves what it believes in


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[: len(content) // 2])
    path.chmod(0o444)


DAMAGE: dict[str, Callable[[Path], None]] = {"flipped": flip, "truncated": truncate, "missing": Path.unlink}


def objects(root: Path) -> dict[str, Path]:
    """Everything under the name of an object, by that name."""
    return {f"{path.parent.name}{path.name}": path for path in root.glob("files/md5/??/*")}


def chosen(root: Path, kind: str) -> Path:
    """The object of `data/b.txt`, or of the list of `data`."""
    found = objects(root)
    return found[builders.md5(TWO)] if kind == "file" else next(found[n] for n in found if n.endswith(".dir"))


def wrong(root: Path) -> list[str]:
    return [
        name
        for name, path in objects(root).items()
        if builders.md5(path.read_bytes()) != name.removesuffix(".dir")
    ]


def no_data(project: Project) -> None:
    shutil.rmtree(project.root / "data", ignore_errors=True)
    (project.root / "model.bin").unlink(missing_ok=True)


def done(work: Callable[[], object]) -> str:
    try:
        work()
    except ModelkeepError:
        return ERROR
    return FINE


def publish_it(project: Project) -> None:
    publish.publish(project, publish.plan_publish(project, "v1", "First"))


@pytest.fixture
def reopened(opened: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Project]:
    """`data` and `model.bin` recorded; each call opens the project anew, as another run of the program would."""
    data.add(opened, ["data", "model.bin"])

    def again() -> Project:
        monkeypatch.setattr(objectstore, "_MANIFESTS", objectstore._Manifests())
        return Project.open(opened.root, vault=MemoryVault())

    return again


# -- in the cache --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_in_the_cache_it_is_not_sent(
    reopened: Callable[[], Project], remote: Path, damage: str, kind: str
) -> None:
    project = reopened()
    DAMAGE[damage](chosen(project.cache_folder, kind))
    assert done(lambda: data.push(project)) == ERROR
    assert wrong(remote) == []
    assert not [name for name in objects(remote) if name.endswith(".dir")]  # a list only with all its files
    assert builders.md5(b"\0model 1") in objects(remote)  # the others went on


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_in_the_cache_it_is_not_published(
    reopened: Callable[[], Project], remote: Path, git_remote: Path, damage: str, kind: str
) -> None:
    project = reopened()
    DAMAGE[damage](chosen(project.cache_folder, kind))
    how = done(lambda: publish_it(project))
    assert wrong(remote) == []
    tags = builders.git(git_remote, "tag").split()
    assert tags == (["v1"] if how == FINE else [])
    if how == FINE:
        assert len(objects(remote)) == 4
    else:
        assert builders.git(project.root, "tag") == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_in_the_cache_it_is_not_checked_out_but_pulled_again(
    reopened: Callable[[], Project], damage: str, kind: str
) -> None:
    project = reopened()
    data.push(project)
    wanted = builders.read_tree(project.root / "data")
    no_data(project)
    DAMAGE[damage](chosen(project.cache_folder, kind))
    assert done(lambda: data.checkout(reopened(), ["data"])) == ERROR
    assert not (project.root / "data").exists()
    data.pull(reopened())
    assert builders.read_tree(project.root / "data") == wanted
    assert wrong(project.cache_folder) == [] and len(objects(project.cache_folder)) == 4


def flip_and_put_the_time_back(path: Path) -> None:
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
@pytest.mark.parametrize("damage", [*DAMAGE.values(), flip_and_put_the_time_back])
def test_in_the_cache_it_is_not_linked_to_though_it_was_hashed_before(
    reopened: Callable[[], Project],
    damage: Callable[[Path], None],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("statmemory", "cache_link", "workspace_stage"):
        monkeypatch.setattr(f"modelkeep.core.engine.{module}.RACY_NS", 0)
    hashed: list[object] = []
    real = Cache.check
    monkeypatch.setattr(Cache, "check", lambda *words: (hashed.append(words[1]), real(*words)))
    project = reopened()
    (project.root / ".dvc/config.local").write_text(f"[cache]\n    type = {kind}\n")
    for turn in range(3):
        # Away, but not gone: that the number of its links changes shows in the times of an object, too.
        os.rename(project.root / "data", project.root.parent / f"data-{turn}")
        if turn < 2:
            data.checkout(reopened(), ["data"])
            assert len(hashed) == 2  # all of them the first time, and none of them again
    time.sleep(0.02)
    damage(chosen(project.cache_folder, "file"))
    assert done(lambda: data.checkout(reopened(), ["data"])) == ERROR
    assert not (project.root / "data").exists()
    assert wrong(project.cache_folder) == []


# -- on the remote -------------------------------------------------------------------------------------


@pytest.fixture(params=["folder", "shell", "sftp_only"])
def stored(
    request: pytest.FixtureRequest,
    ssh_server: servers.SshServer,
    reopened: Callable[[], Project],
    remote: Path,
    home: Path,
    tmp_path: Path,
) -> Path:
    """Where the objects that were pushed really lie: in a folder, or on an account of a server."""
    project = reopened()
    if request.param != "folder":
        account: servers.Account | None = getattr(ssh_server, request.param)
        if account is None:
            pytest.skip(servers.NO_ROOT)
        remote = account.folder / tmp_path.name
        setup.add_remote(project, "far", ssh_server.url(account, tmp_path.name), default=True)
        (project.root / ".dvc/config.local").write_text(
            f"['remote \"far\"']\n    keyfile = {ssh_server.key}\n"
        )
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh/known_hosts").write_text(ssh_server.known_hosts())
        project = reopened()
    data.push(project)
    project.close()
    return remote


@pytest.mark.parametrize("damage", DAMAGE)
def test_on_the_remote_it_gets_no_name_here(
    reopened: Callable[[], Project], stored: Path, damage: str
) -> None:
    project = reopened()
    for kind in KINDS:
        shutil.rmtree(project.cache_folder)
        no_data(project)
        place = chosen(stored, kind)
        good = place.read_bytes()
        DAMAGE[damage](place)
        assert done(lambda: data.fetch(reopened(), ["data"])) == ERROR, kind
        assert done(lambda: data.pull(project)) == ERROR, kind
        assert wrong(project.cache_folder) == []
        assert not (project.root / "data").exists()
        assert (project.root / "model.bin").exists()  # the others went on
        place.unlink(missing_ok=True)
        place.write_bytes(good)
    project.close()


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_on_the_remote_it_is_sent_again(
    reopened: Callable[[], Project], stored: Path, git_remote: Path, damage: str
) -> None:
    project = reopened()
    for kind, send in zip(KINDS, (data.push, publish_it), strict=True):
        DAMAGE[damage](chosen(stored, kind))
        send(project)
        assert wrong(stored) == [] and len(objects(stored)) == 4, kind
    assert builders.git(git_remote, "tag") == "v1"
    project.close()


def test_a_flipped_list_on_the_remote_is_not_published(
    reopened: Callable[[], Project], remote: Path, git_remote: Path
) -> None:
    project = reopened()
    data.push(project)
    flip(chosen(remote, "manifest"))
    assert done(lambda: publish_it(reopened())) == ERROR
    assert builders.git(git_remote, "tag") == "" and builders.git(project.root, "tag") == ""


# -- what is remembered --------------------------------------------------------------------------------


def test_status_notices_what_the_memory_of_hashes_does_not_know(
    reopened: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = reopened()
    monkeypatch.setattr("modelkeep.core.engine.statmemory.RACY_NS", 0)
    assert {one.missing for one in review.status(project).outputs} == {0}  # and now it is all remembered
    chosen(project.cache_folder, "file").unlink()
    for one in (project, reopened()):
        found = {out.output.path: out for out in review.status(one).outputs}
        assert found["data"].state is State.CLEAN and found["data"].missing == 1
        assert review.presence(one, [found["data"].output])["data"].here == 2


def test_publish_notices_what_a_listing_does_not_know(
    reopened: Callable[[], Project], remote: Path, git_remote: Path
) -> None:
    project = reopened()
    data.push(project)
    outputs = project.workspace.outputs().outputs
    before: dict[str, Presence] = review.presence(project, outputs)  # lists the remote, and remembers
    for kind in KINDS:
        chosen(remote, kind).unlink()
    assert review.presence(project, outputs, ask_remote=False) == before  # the memory is wrong by now
    plan = publish.plan_publish(project, "v1", "First")
    publish.publish(project, plan)
    assert len(objects(remote)) == 4 and wrong(remote) == []
    assert builders.git(git_remote, "tag") == "v1"


def test_publish_does_not_tag_what_is_nowhere_any_more(
    reopened: Callable[[], Project], remote: Path, git_remote: Path
) -> None:
    project = reopened()
    data.push(project)
    review.presence(project, project.workspace.outputs().outputs)
    for place in (remote, project.cache_folder):
        chosen(place, "file").unlink()
    how = done(lambda: publish_it(project))
    assert builders.git(git_remote, "tag").split() == (["v1"] if how == FINE else [])
    assert how == ERROR or len(objects(remote)) == 4
