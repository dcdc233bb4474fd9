"""Push, fetch and pull do all they can, and say what they could not: never success over something missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.errors import InvalidFile, MissingObjects
from modelkeep.core.project import Project
from modelkeep.core.workflows import data, setup


def lose_all_but_the_remote(project: Path, *paths: str) -> None:
    shutil.rmtree(project / ".dvc/cache")
    for path in paths:
        place = project / path
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def object_of(root: Path, content: bytes) -> Path:
    digest = builders.md5(content)
    return root / "files/md5" / digest[:2] / digest[2:]


def test_pull_brings_everything_but_what_is_nowhere(opened: Project, remote: Path) -> None:
    data.add(opened, ["data", "model.bin"])
    data.push(opened)
    lose_all_but_the_remote(opened.root, "data", "model.bin")
    object_of(remote, b"\0model 1").unlink()
    with pytest.raises(MissingObjects, match=r"model\.bin"):
        data.pull(opened)
    assert builders.read_tree(opened.root / "data") == {"a.txt": b"one\n", "b.txt": b"two\n"}
    assert not (opened.root / "model.bin").exists()


def test_a_folder_with_a_file_missing_is_left_as_it_is(opened: Project, remote: Path) -> None:
    data.add(opened, ["data", "model.bin"])
    data.push(opened)
    lose_all_but_the_remote(opened.root, "data", "model.bin")
    object_of(remote, b"two\n").unlink()
    with pytest.raises(MissingObjects, match=r"data/b\.txt"):
        data.pull(opened)
    assert (opened.root / "model.bin").read_bytes() == b"\0model 1"
    assert not (opened.root / "data").exists()
    data.pull(opened, ["data/a.txt"])
    assert builders.read_tree(opened.root / "data") == {"a.txt": b"one\n"}


def test_every_remote_is_filled_before_a_missing_object_is_told(opened: Project, tmp_path: Path) -> None:
    setup.add_remote(opened, "other", str(tmp_path / "other"))
    data.add(opened, ["data", "model.bin"])
    with (opened.root / "model.bin.dvc").open("a") as metafile:
        metafile.write("  remote: other\n")
    object_of(opened.cache_folder, b"one\n").unlink()
    with pytest.raises(MissingObjects, match=r"data/a\.txt"):
        data.push(opened)
    assert object_of(tmp_path / "other", b"\0model 1").exists()


@pytest.mark.parametrize("text", [b"", b"outs: ["])
def test_a_broken_metafile_is_never_passed_over(opened: Project, remote: Path, text: bytes) -> None:
    data.add(opened, ["data", "model.bin"])
    (opened.root / "model.bin.dvc").write_bytes(text)
    for move in (data.push, data.fetch, data.checkout, data.pull):
        with pytest.raises(InvalidFile, match=r"model\.bin\.dvc"):
            move(opened)
        with pytest.raises(InvalidFile, match=r"model\.bin\.dvc"):
            move(opened, ["model.bin"])
    assert object_of(remote, b"one\n").exists(), "the rest was not pushed"
    data.push(opened, ["data"])
    assert (opened.root / "model.bin").read_bytes() == b"\0model 1"


def test_data_imported_from_elsewhere_does_not_hold_up_the_rest(
    opened: Project, dvc: Dvc, tmp_path: Path
) -> None:
    source = builders.make_project(tmp_path / "source")
    builders.track_file(source, "lib.bin", b"lib")
    builders.make_commit(source, message="A library")
    dvc("import", "-q", source, "lib.bin", cwd=opened.root)
    data.add(opened, ["data"])
    data.push(opened)
    lose_all_but_the_remote(opened.root, "data", "lib.bin")
    with pytest.raises(MissingObjects) as told:
        data.pull(opened)
    assert "dvc pull lib.bin" in told.value.hint
    assert (opened.root / "data/a.txt").read_bytes() == b"one\n"


def test_a_project_without_git_as_dvc_makes_it(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    dvc("init", "--no-scm", "-q", cwd=folder)
    builders.write_tree(folder, {"data/a.txt": "one\n"})
    project = Project.open(folder, vault=MemoryVault())
    setup.add_remote(project, "store", str(remote), default=True)
    data.add(project, ["data"])
    data.push(project)
    lose_all_but_the_remote(folder, "data")
    data.pull(project)
    assert (folder / "data/a.txt").read_bytes() == b"one\n"
    assert "up to date" in dvc("status", cwd=folder).stdout
    project.close()


def test_leftovers_of_a_killed_fetch_are_swept_by_the_next(opened: Project) -> None:
    data.add(opened, ["data"])
    data.push(opened)
    lose_all_but_the_remote(opened.root)
    left = opened.root / ".dvc/cache/files/md5/ab/.0123456789012345678901.tmp"
    young = left.with_name(".1123456789012345678901.tmp")
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(left, (1, 1))
    data.fetch(opened)
    assert not left.exists() and young.exists()
