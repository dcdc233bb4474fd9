"""Data pushed by one of us arrives at the other, over a folder and over SSH; what was left broken is found and healed."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

import builders
import servers
from conftest import Dvc
from interop import legacy, trees
from interop.judging import assert_clean, cloud_status, dvc_status
from interop.projects import opened
from modelkeep.core.errors import (
    CorruptObject,
    InvalidFile,
    MissingObjects,
    ModelkeepError,
    Refused,
)
from modelkeep.core.leftovers import temp_name
from modelkeep.core.values import State
from modelkeep.core.workflows import data

_TARGETS = ["so", "데이터", "empty", "run.sh", "digits", "exponent", "nothing"]


def make(folder: Path, url: str, targets: list[str] = _TARGETS) -> Path:
    """A project with some awkward outputs on disk, none recorded, and a default remote."""
    builders.make_project(folder)
    builders.set_default_remote(folder, url)
    for name in targets:
        content = trees.OUTPUTS[name]
        if isinstance(content, (str, bytes)):
            builders.write_tree(folder, {name: content})
        else:
            builders.write_tree(folder / name, content)
    return folder


def clone(project: Path, to: Path) -> Path:
    """A colleague's clone, with the keys that are nobody else's business."""
    builders.make_commit(project, {}, "Data")
    builders.run("git", "clone", "--quiet", project, to)
    if (project / ".dvc/config.local").exists():
        shutil.copy(project / ".dvc/config.local", to / ".dvc/config.local")
    return to


def objects(root: Path) -> dict[str, int]:
    """Every file of a remote by its key, with its mode."""
    return {
        path.relative_to(root).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def key(content: bytes | str) -> str:
    name = builders.md5(content)
    return f"files/md5/{name[:2]}/{name[2:]}"


def object_of(root: Path, content: bytes | str) -> Path:
    return root / key(content)


# -- over a folder -------------------------------------------------------------------------------------


def test_10_2_20_10_2_24_we_push_and_dvc_pulls(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    project = make(tmp_path / "ours", str(remote))
    with opened(project) as ours:
        data.add(ours, _TARGETS)
        data.push(ours)
    assert set(objects(remote).values()) == {0o444}
    assert cloud_status(dvc, project) == {}
    assert "Everything is up to date" in dvc("push", cwd=project).stdout
    other = clone(project, tmp_path / "clone")
    dvc("pull", cwd=other)
    assert trees.data(other, _TARGETS) == trees.data(project, _TARGETS)
    assert dvc_status(dvc, other) == {}


def test_10_2_20_dvc_pushes_and_we_pull(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    project = make(tmp_path / "theirs", str(remote))
    dvc("add", *_TARGETS, cwd=project)
    dvc("push", cwd=project)
    other = clone(project, tmp_path / "clone")
    with opened(other) as ours:
        data.pull(ours)
        assert data.push(ours).files == 0
    assert trees.data(other, _TARGETS) == trees.data(project, _TARGETS)
    assert_clean(other)
    assert dvc_status(dvc, other) == {}


def test_10_2_20_a_push_cut_off_before_the_list_is_completed_by_either(
    tmp_path: Path, remote: Path, dvc: Dvc
) -> None:
    project = make(tmp_path / "ours", str(remote), ["so", "mw"])
    with opened(project) as ours:
        data.add(ours, ["so", "mw"])
        data.push(ours)
        whole = objects(remote)
        lists = list(remote.rglob("*.dir"))
        for path in lists:
            path.unlink()
        dvc("push", cwd=project)
        assert objects(remote) == whole
        for path in lists:
            path.unlink()
        assert data.push(ours).files == len(lists)
        assert objects(remote) == whole


def test_appendix_c_1_files_missing_under_a_list_are_found_and_sent(
    tmp_path: Path, remote: Path, dvc: Dvc
) -> None:
    """`dvc push d/a` sends one file and the whole list; from then on DVC takes the rest for sent."""
    project = builders.make_project(tmp_path / "ours")
    builders.set_default_remote(project, str(remote))
    builders.track_folder(project, "d", {"a": "a", "b": "b", "sub/c": "c"})
    builders.track_file(project, "f", "f")
    dvc("push", "d/a", cwd=project)
    assert len(objects(remote)) == 2
    dvc("push", "f.dvc", cwd=project)
    assert "Everything is up to date" in dvc("push", cwd=project).stdout
    assert cloud_status(dvc, project) == {}

    with opened(project) as ours:
        assert set(data.not_proven(ours, ours.workspace.outputs().outputs)) == {"d/b", "d/sub/c"}
        assert data.push(ours).files == 2
        assert data.not_proven(ours, ours.workspace.outputs().outputs) == ()
    other = clone(project, tmp_path / "clone")
    dvc("pull", cwd=other)
    assert dvc_status(dvc, other) == {}


def test_appendix_c_1_the_data_that_is_gone_from_a_remote_is_sent_again(
    tmp_path: Path, remote: Path, dvc: Dvc
) -> None:
    """Vanished or cut off after the push: DVC remembers that they were there."""
    project = builders.make_project(tmp_path / "ours")
    builders.set_default_remote(project, str(remote))
    builders.track_folder(project, "d", {"a": "content a", "b": "content b"})
    builders.track_file(project, "f", "content f")
    dvc("push", cwd=project)
    object_of(remote, "content a").unlink()
    short = object_of(remote, "content f")
    short.chmod(0o644)
    short.write_text("con")
    short.chmod(0o444)
    assert "Everything is up to date" in dvc("push", cwd=project).stdout
    with opened(project) as ours:
        assert data.push(ours).files == 2
    assert object_of(remote, "content f").read_text() == "content f"
    assert set(objects(remote).values()) == {0o444}


@pytest.mark.parametrize("mode", [0o444, 0o644])
@pytest.mark.parametrize("wrong", ["", "CONTENT F"])
def test_10_1_every_download_is_verified(
    wrong: str, mode: int, tmp_path: Path, remote: Path, dvc: Dvc
) -> None:
    """A wrong object on the remote gets no name here; the rest arrives; the remote is left as it is."""
    project = builders.make_project(tmp_path / "ours")
    builders.set_default_remote(project, str(remote))
    builders.track_folder(project, "d", {"a": "content a", "b": "content b"})
    builders.track_file(project, "f", "content f")
    with opened(project) as ours:
        data.push(ours)
    bad = object_of(remote, "content f")
    bad.chmod(0o644)
    bad.write_text(wrong)
    bad.chmod(mode)
    shutil.rmtree(project / ".dvc/cache")
    trees.remove_data(project, ["d", "f"])
    before = objects(remote)
    with opened(project) as ours, pytest.raises(ModelkeepError, match=builders.md5("content f")):
        data.pull(ours)
    assert not object_of(project / ".dvc/cache", "content f").exists() and not (project / "f").exists()
    assert (project / "d/b").read_text() == "content b"
    assert objects(remote) == before


@pytest.mark.parametrize("wrong", ["", "con", "CONTENT F"])
def test_10_1_a_wrong_object_here_is_healed_by_the_next_pull(
    wrong: str, tmp_path: Path, remote: Path
) -> None:
    """What a pull of DVC that was cut off leaves in the cache, read-only and trusted from then on."""
    project = builders.make_project(tmp_path / "ours")
    builders.set_default_remote(project, str(remote))
    builders.track_folder(project, "d", {"a": "content a", "f": "content f"})
    with opened(project) as ours:
        data.push(ours)
    stump = object_of(project / ".dvc/cache", "content f")
    stump.chmod(0o644)
    stump.write_text(wrong)
    stump.chmod(0o444)
    trees.remove_data(project, ["d"])
    with opened(project) as ours:
        data.pull(ours)
        assert len(list((project / ".dvc/tmp/modelkeep/quarantine").iterdir())) == 1
    assert builders.read_tree(project / "d") == {"a": b"content a", "f": b"content f"}
    assert_clean(project)


def test_10_1_a_list_that_is_not_its_own_hash_is_never_used(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    """Valid JSON with a file left out: DVC takes it as it is, and the folder loses that file."""
    project = builders.make_project(tmp_path / "ours")
    builders.set_default_remote(project, str(remote))
    digest = builders.track_folder(project, "d", {"a": "content a", "b": "content b"})
    with opened(project) as ours:
        data.push(ours)
    place = remote / "files/md5" / digest[:2] / f"{digest[2:]}.dir"
    place.chmod(0o644)
    place.write_text(f'[{{"md5": "{builders.md5("content a")}", "relpath": "a"}}]')
    place.chmod(0o444)
    other = clone(project, tmp_path / "clone")
    with opened(other) as ours, pytest.raises((CorruptObject, Refused, InvalidFile)):
        data.pull(ours)
    assert not (other / "d").exists()
    with opened(project) as ours:
        data.push(ours)  # whoever has it, heals it
    dvc("pull", cwd=other)
    assert builders.read_tree(other / "d") == {"a": b"content a", "b": b"content b"}


def test_appendix_c_9_what_is_missing_everywhere_is_no_success(
    tmp_path: Path, remote: Path, dvc: Dvc
) -> None:
    project = builders.make_project(tmp_path / "ours")
    builders.set_default_remote(project, str(remote))
    builders.track_file(project, "f", "content f")
    builders.make_commit(project, {}, "Data")
    shutil.rmtree(project / ".dvc/cache")
    assert dvc("fetch", cwd=project, check=False).returncode == 0
    with opened(project) as ours:
        for move in (data.fetch, data.push, data.pull):
            with pytest.raises(MissingObjects) as error:
                move(ours)
            assert "f: recorded in f.dvc, last changed by Test Person" in error.value.detail


def test_10_2_36_strangers_in_a_remote_are_left_alone(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    """Names that are no objects, or that DVC would take for old ones, before and after we were there."""
    builders.write_tree(
        remote, {"README": "x", "ab/cdef": "x", "mykeys/x": "x", "files/md5/.x.tmp": "x", "runs/1": "x"}
    )
    project = make(tmp_path / "ours", str(remote), ["mw"])
    before = objects(remote)
    with opened(project) as ours:
        data.add(ours, ["mw"])
        data.push(ours)
        with ours.using_remote() as store:
            assert set(store.listing()) == set(objects(remote)) - set(before)
        data.fetch(ours)
    assert before.items() <= objects(remote).items()


def test_10_2_36_dvcs_clean_up_takes_nothing_of_ours(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    """`dvc gc` removes what nothing names, and our temporary files; ours needs nothing else."""
    project = make(tmp_path / "ours", str(remote), ["so", "mw"])
    with opened(project) as ours:
        data.add(ours, ["so", "mw"])
        kept = trees.objects(project)
        builders.track_file(project, "unused", "unused")
        (project / "unused.dvc").unlink()
        left = project / ".dvc/cache/files/md5/ab"
        left.mkdir(exist_ok=True)
        (left / temp_name()).write_text("of a run that was killed")
        dvc("gc", "-w", "-f", cwd=project)
        assert trees.objects(project) == kept
        assert not list((project / ".dvc/cache").rglob("*.tmp"))
        data.push(ours)
    dvc("gc", "-w", "-c", "-f", cwd=project)
    assert dict.fromkeys(objects(remote)) == dict.fromkeys(kept)


# -- over SSH ------------------------------------------------------------------------------------------


@pytest.fixture
def over_ssh(ssh_server: servers.SshServer, tmp_path: Path, home: Path) -> tuple[Path, Path]:
    """(a project whose default remote is an SSH account, the folder of that remote on this machine)."""
    account = ssh_server.shell
    folder = account.folder / "interop"
    shutil.rmtree(folder, ignore_errors=True)
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh/known_hosts").write_text(ssh_server.known_hosts() + "\n")
    project = make(tmp_path / "ours", ssh_server.url(account, "interop"), ["so", "데이터"])
    (project / ".dvc/config.local").write_text(f"['remote \"storage\"']\n    keyfile = {ssh_server.key}\n")
    return project, folder


def test_10_2_24_over_ssh_nothing_but_objects_arrives(
    over_ssh: tuple[Path, Path], tmp_path: Path, dvc: Dvc
) -> None:
    """No temporary file stays, lists come last, and each program takes the other's for complete."""
    project, folder = over_ssh
    with opened(project) as ours:
        data.add(ours, ["so", "데이터"])
        data.push(ours)
    assert set(objects(folder)) == set(trees.objects(project))
    assert "Everything is up to date" in dvc("push", cwd=project).stdout
    other = clone(project, tmp_path / "clone")
    dvc("pull", cwd=other)
    assert trees.data(other, ["so", "데이터"]) == trees.data(project, ["so", "데이터"])
    shutil.rmtree(folder)
    dvc("push", cwd=other)
    shutil.rmtree(project / ".dvc/cache")
    trees.remove_data(project, ["so", "데이터"])
    with opened(project) as ours:
        data.pull(ours)
    assert_clean(project)


def test_10_2_23_a_truncated_object_on_a_server_is_not_taken(
    over_ssh: tuple[Path, Path], tmp_path: Path, dvc: Dvc
) -> None:
    """DVC pulls it as an empty file and calls it up to date; we fail, and heal it from where the good one is."""
    project, folder = over_ssh
    with opened(project) as ours:
        data.add(ours, ["so", "데이터"])
        data.push(ours)
    cut = object_of(folder, b"\0\1\2")
    cut.chmod(0o644)
    cut.write_bytes(b"")
    theirs = clone(project, tmp_path / "theirs")
    dvc("pull", cwd=theirs)
    assert (theirs / "데이터/한글 이름.bin").read_bytes() == b"" and dvc_status(dvc, theirs) == {}
    builders.run("git", "clone", "--quiet", project, tmp_path / "other")
    shutil.copy(project / ".dvc/config.local", tmp_path / "other/.dvc/config.local")
    with opened(tmp_path / "other") as ours, pytest.raises(ModelkeepError, match=builders.md5(b"\0\1\2")):
        data.pull(ours)
    assert not object_of(tmp_path / "other/.dvc/cache", b"\0\1\2").exists()
    assert (tmp_path / "other/so/a b").exists() and not (tmp_path / "other/데이터").exists()
    with opened(theirs) as ours:
        found = {one.output.path: one.state for one in ours.workspace.status().outputs}
        assert found == {"so": State.CLEAN, "데이터": State.MODIFIED}  # whatever DVC says
        with pytest.raises(CorruptObject):  # nor is it taken for sent because the server has the same nothing
            data.push(ours)
    with opened(project) as ours:
        assert data.push(ours).files == 1
    assert cut.read_bytes() == b"\0\1\2"


def test_10_2_10_legacy_data_over_ssh(over_ssh: tuple[Path, Path], tmp_path: Path, dvc: Dvc) -> None:
    project, folder = over_ssh
    remote = tmp_path / "legacy-remote"
    remote.mkdir()
    old = legacy.make(tmp_path / "old", remote)
    shutil.copy(project / ".dvc/config", old / ".dvc/config")
    shutil.copy(project / ".dvc/config.local", old / ".dvc/config.local")
    with opened(old) as ours:
        data.push(ours)
        assert builders.read_tree(folder) == builders.read_tree(remote)
        shutil.rmtree(old / ".dvc/cache")
        data.fetch(ours)
    assert "Everything is up to date" in dvc("push", cwd=old).stdout
