"""Data that DVC 2 recorded (§1.5): read, fetched, pushed and changed as DVC 3 does, or better where it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop import legacy, trees
from interop.judging import assert_clean, dvc_status
from interop.projects import opened
from modelkeep.core.errors import MissingObjects
from modelkeep.core.values import State
from modelkeep.core.workflows import data

TARGETS = ["crlf.txt", "lf.txt", "run.sh", "empty.bin", "old"]


def states(folder: Path) -> dict[str, State]:
    with opened(folder) as project:
        return {one.output.path: one.state for one in project.workspace.status().outputs}


def test_10_2_10_a_legacy_project_is_pulled_and_twins_are_not_corrupt(
    tmp_path: Path, remote: Path, dvc: Dvc
) -> None:
    ours = legacy.make(tmp_path / "ours", remote, data=False, cache=False)
    before = trees.texts(ours)
    with opened(ours) as project:
        data.pull(project)
        assert project.cache.verify(object_ids(project)) == ()
    assert trees.data(ours, TARGETS) == legacy.PULLED
    assert (ours / "run.sh").stat().st_mode & 0o777 == 0o744
    assert dvc_status(dvc, ours) == {}
    assert_clean(ours)
    assert not (ours / ".dvc/cache/files").exists()

    theirs = legacy.make(tmp_path / "theirs", remote, data=False, cache=False)
    dvc("pull", cwd=theirs)
    assert trees.objects(ours) == trees.objects(theirs)
    assert_clean(theirs)
    with opened(theirs) as project:
        assert data.add(project, [*TARGETS]).paths == ()
    assert trees.texts(theirs) == before


def object_ids(project):  # type: ignore[no-untyped-def]
    outputs = project.workspace.outputs().outputs
    oids = {out.oid for out in outputs if out.cached}
    return oids | {one for oid in oids if oid.is_dir for one in project.cache.manifest(oid).objects()}


def test_10_2_10_pushed_by_us_to_the_old_place(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    ours = legacy.make(tmp_path / "ours", remote)
    stored = builders.read_tree(remote)
    shutil.rmtree(remote)
    with opened(ours) as project:
        data.push(project)
    assert builders.read_tree(remote) == stored
    assert "Everything is up to date" in dvc("push", cwd=ours).stdout


def test_10_1_large_files_of_mixed_content_count_in_both_variants(
    tmp_path: Path, remote: Path, dvc: Dvc
) -> None:
    """DVC 3 computes another name for mix.txt than DVC 2 recorded, and takes it for changed; we know both."""
    ours = legacy.make(tmp_path / "ours", remote, large=True)
    assert_clean(ours)
    assert set(dvc_status(dvc, ours)) == {"mix.txt.dvc"}
    with opened(ours) as project:
        assert data.add(project, ["mix.txt", "strad.txt"]).paths == ()
        trees.remove_data(ours, ["mix.txt", "strad.txt"])
        shutil.rmtree(ours / ".dvc/cache")
        data.pull(project)
    assert builders.md5((ours / "mix.txt").read_bytes()) == "d7607bf5929aa9f2abf600a7e17e3603"

    theirs = ours / "mix.txt.dvc"  # as DVC 3 alone would have named it
    theirs.write_text(
        theirs.read_text().replace("13af435f371fd01678b1d10577061015", "a997c32334a4228c16e3d0318c21a917")
    )
    assert states(ours)["mix.txt"] is State.CLEAN


def test_10_2_12_changed_legacy_data_is_recorded_anew_as_dvc_does(
    tmp_path: Path, remote: Path, dvc: Dvc
) -> None:
    ours, theirs = (legacy.make(tmp_path / name, remote) for name in ("ours", "theirs"))
    for project in (ours, theirs):
        builders.write_tree(project, {"old/more.txt": b"more\r\n", "crlf.txt": b"x\r\n"})
    with opened(ours) as project:
        data.add(project, TARGETS)
    dvc("add", *TARGETS, cwd=theirs)
    assert trees.texts(ours) == trees.texts(theirs)
    mine, others = trees.objects(ours), trees.objects(theirs)
    more = others.keys() - mine.keys()  # dvc looks at a changed legacy folder and leaves its list behind
    assert mine == {key: others[key] for key in others.keys() - more}
    assert len(more) <= 1 and all(key.endswith(".dir") and len(key) == 37 for key in more)
    assert (ours / "old.dvc").read_text().endswith("  hash: md5\n")
    assert "hash" not in (ours / "lf.txt.dvc").read_text()
    assert dvc_status(dvc, ours) == {}
    assert_clean(theirs)


def test_10_2_13_no_place_stands_in_for_the_other(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    """A legacy object in files/md5 is not there, nor is a new one in the old place: for both programs."""
    ours = legacy.make(tmp_path / "ours", remote, data=False)
    builders.track_file(ours, "new.bin", "new")
    trees.remove_data(ours, ["new.bin"])
    cache = ours / ".dvc/cache"
    name = builders.md5("new")
    new, old = cache / "files/md5" / name[:2] / name[2:], cache / "dd/8c6a395b5dd36c56d23275028f526c"
    (cache / "files/md5/dd").mkdir(parents=True, exist_ok=True)
    (cache / name[:2]).mkdir(exist_ok=True)
    old.rename(cache / "files/md5/dd" / old.name)
    new.rename(cache / name[:2] / new.name)
    found = states(ours)
    assert found["crlf.txt"] is found["lf.txt"] is found["new.bin"] is State.NOT_IN_CACHE
    told = dvc_status(dvc, ours)
    for path in ("crlf.txt", "lf.txt", "new.bin"):
        assert told[f"{path}.dvc"] == [{"changed outs": {path: "not in cache"}}]
    with opened(ours) as project, pytest.raises(MissingObjects):
        data.checkout(project)


def test_appendix_c_11_a_part_of_a_legacy_folder_can_be_added(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    """DVC 3 fails. Here the folder is taken over as a whole: from untouched files, else from their objects."""
    ours, theirs = (legacy.make(tmp_path / name, remote) for name in ("ours", "theirs"))
    for project in (ours, theirs):
        builders.write_tree(project, {"old/new.txt": b"new\r\n"})
    assert dvc("add", "old/new.txt", cwd=theirs, check=False).returncode
    dvc("add", "old", cwd=theirs)
    (ours / "old/binary").write_text("changed, and not named")
    (ours / "old/sub/plain.txt").unlink()
    with opened(ours) as project:
        assert data.add(project, ["old/crlf.txt", "old/sub/empty"]).paths == ()
        assert data.add(project, ["old/new.txt"]).paths == ("old.dvc",)
    assert trees.texts(ours) == trees.texts(theirs)
    told = dvc_status(dvc, ours)
    assert told == {"old.dvc": [{"changed outs": {"old": "modified"}}]}
    builders.write_tree(ours, {name: text for name, text in legacy.DATA.items() if name.startswith("old/")})
    assert dvc_status(dvc, ours) == {}


def test_appendix_c_11_it_needs_what_is_not_named_as_well(tmp_path: Path, remote: Path) -> None:
    ours = legacy.make(tmp_path / "ours", remote)
    builders.write_tree(ours, {"old/new.txt": b"new\r\n"})
    (ours / "old/binary").unlink()
    before = trees.texts(ours)
    name = builders.md5(legacy.DATA["old/binary"])
    (ours / ".dvc/cache" / name[:2] / name[2:]).unlink()
    with opened(ours) as project, pytest.raises(MissingObjects, match="old/binary"):
        data.add(project, ["old/new.txt"])
    assert trees.texts(ours) == before


def test_10_1_a_legacy_pipeline(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    ours = legacy.make(tmp_path / "ours", remote)
    assert states(ours)["work/built"] is states(ours)["work/model.pkl"] is State.CLEAN
    shutil.rmtree(ours / "work/built")
    (ours / "work/model.pkl").unlink()
    with opened(ours) as project:
        data.checkout(project)
    assert dvc_status(dvc, ours) == {}
