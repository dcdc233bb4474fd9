"""How objects are handed out: the links of `cache.type`, and the modes of a cache that a group shares (§4.1, §4.2).

A kind that copies may share blocks or not: what counts is that nobody can reach the cache through the file.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status
from interop.projects import opened
from modelkeep.core.errors import CorruptObject
from modelkeep.core.workflows import data, review

FILES = {"d/a": "content a", "d/b/c": "content c", "d/twin": "content a", "d/empty": "", "m.bin": "weights"}


def user_config(project: Path, *lines: str) -> None:
    (project / ".dvc/config.local").write_text("\n".join(lines) + "\n")


def facts(project: Path, names: tuple[str, ...] = tuple(FILES)) -> dict[str, tuple[str, str]]:
    """What each file is (a link, one file with an object, a file of its own), with its mode."""
    cache = project / ".dvc/cache"
    inodes = {path.stat().st_ino for path in cache.rglob("*") if path.is_file()}
    found = {}
    for name in names:
        path = project / name
        there = path.lstat()
        if stat.S_ISLNK(there.st_mode):
            target = os.readlink(path)
            assert os.path.isabs(target)
            found[name] = "symlink", os.path.relpath(target, project)
        else:
            kind = "hardlink" if there.st_ino in inodes else "own"
            found[name] = kind, oct(stat.S_IMODE(there.st_mode))
    return found


def make_pair(tmp_path: Path, *config: str) -> tuple[Path, Path]:
    """Two projects with the same data recorded, none of it in the workspace."""
    ours = builders.make_project(tmp_path / "ours")
    folder = {name[2:]: text for name, text in FILES.items() if name.startswith("d/")}
    builders.track_folder(ours, "d", folder)
    builders.track_file(ours, "m.bin", FILES["m.bin"])
    builders.make_commit(ours, {}, "Data")
    user_config(ours, *config)
    trees.remove_data(ours, ["d", "m.bin"])
    shutil.copytree(ours, tmp_path / "theirs", symlinks=True)
    return ours, tmp_path / "theirs"


@pytest.mark.parametrize("types", ["hardlink", "symlink", "copy", "reflink,copy", "hardlink,symlink"])
def test_10_1_checkout_makes_the_links_the_user_asked_for(types: str, tmp_path: Path, dvc: Dvc) -> None:
    ours, theirs = make_pair(tmp_path, "[cache]", f'    type = "{types}"')
    with opened(ours) as project:
        data.checkout(project)
        again = data.checkout(project)
    dvc("checkout", cwd=theirs)
    assert facts(ours) == facts(theirs)
    assert again.paths == ()
    assert trees.data(ours, ["d", "m.bin"]) == {name: text.encode() for name, text in FILES.items()}
    assert dvc_status(dvc, ours) == {}
    assert_clean(theirs)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (ours / ".dvc/cache").rglob("*") if path.is_file()}
    assert modes == {0o444}


@pytest.mark.parametrize("types", ["hardlink", "symlink"])
def test_10_1_what_is_added_becomes_links_too(types: str, tmp_path: Path, dvc: Dvc) -> None:
    """Or the data would need its space twice, which is what such a setting is there to avoid."""
    for name in ("ours", "theirs"):
        project = builders.make_project(tmp_path / name)
        user_config(project, "[cache]", f"    type = {types}")
        builders.write_tree(project, FILES)
        if name == "ours":
            with opened(project) as one:
                data.add(one, ["d", "m.bin"])
        else:
            dvc("add", "d", "m.bin", cwd=project)
    assert facts(tmp_path / "ours") == facts(tmp_path / "theirs")
    assert dvc_status(dvc, tmp_path / "ours") == {}
    ours = tmp_path / "ours"
    (ours / "d/new").write_text("new")
    (ours / "d/b/c").unlink()
    (ours / "d/b/c").write_text("changed and not recorded")
    with opened(ours) as one:
        data.add(one, ["d/new"])
    assert facts(ours, ("d/new", "d/b/c"))["d/new"][0] == types
    assert facts(ours, ("d/b/c",))["d/b/c"][0] == "own"


def test_10_1_an_executable_is_never_a_link(tmp_path: Path, dvc: Dvc) -> None:
    """DVC would give the mode to the object, which it then no longer trusts: ours is a copy."""
    ours, theirs = make_pair(tmp_path, "[cache]", "    type = hardlink")
    for project in (ours, theirs):
        metafile = project / "m.bin.dvc"
        metafile.write_text(metafile.read_text().replace("  hash:", "  isexec: true\n  hash:"))
    with opened(ours) as project:
        data.checkout(project)
    assert facts(ours, ("m.bin",)) == {"m.bin": ("own", "0o744")}
    dvc("checkout", cwd=theirs)
    assert facts(theirs, ("m.bin",)) == {"m.bin": ("hardlink", "0o544")}
    assert dvc_status(dvc, ours) == {}
    assert_clean(theirs)


def test_10_1_relink_follows_a_changed_setting(tmp_path: Path, dvc: Dvc) -> None:
    """From links to other links and back to files of one's own, in both programs' words and in any order."""
    ours, theirs = make_pair(tmp_path, "[cache]", "    type = symlink")
    with opened(ours) as project:
        data.checkout(project)
    dvc("checkout", cwd=theirs)
    for types in ("hardlink", "copy", "symlink", "copy"):
        for folder in (ours, theirs):
            user_config(folder, "[cache]", f"    type = {types}")
        with opened(ours) as project:
            assert data.checkout(project).paths == ()
            data.checkout(project, relink=True)
            assert data.checkout(project, relink=True).paths == ()
        dvc("checkout", "--relink", cwd=theirs)
        assert facts(ours) == facts(theirs)
    assert dvc_status(dvc, ours) == {}


@pytest.mark.parametrize("types", ["hardlink", "symlink"])
def test_10_1_what_is_written_over_or_through_a_link_reaches_no_object(types: str, tmp_path: Path) -> None:
    """A link goes before anything is written; renamed and doubled files find their links again."""
    ours, _ = make_pair(tmp_path, "[cache]", f"    type = {types}")
    with opened(ours) as project:
        data.checkout(project)
        before = trees.objects(ours)
        (ours / "d/a").unlink()
        (ours / "d/twin").rename(ours / "d/moved")
        data.checkout(project, force=True)
        assert trees.objects(ours) == before
        (ours / "m.bin").unlink()
        (ours / "m.bin").write_text("other weights")
        assert data.add(project, ["m.bin"]).paths == ("m.bin.dvc",)
        assert data.add(project, ["d"]).paths == ()
    assert before.items() <= trees.objects(ours).items()
    assert trees.data(ours, ["d"]) == {name: FILES[name].encode() for name in FILES if name[:2] == "d/"}


@pytest.mark.parametrize("types", ["hardlink", "symlink"])
def test_10_2_14_a_wrong_object_is_not_linked_to(types: str, tmp_path: Path) -> None:
    ours, _ = make_pair(tmp_path, "[cache]", f"    type = {types}")
    wrong = (
        ours / ".dvc/cache/files/md5" / builders.md5(FILES["m.bin"])[:2] / builders.md5(FILES["m.bin"])[2:]
    )
    wrong.chmod(0o644)
    wrong.write_text("WEIGHTS")
    wrong.chmod(0o444)
    with opened(ours) as project, pytest.raises(CorruptObject):
        data.checkout(project)
    assert not (ours / "m.bin").exists()
    assert not wrong.exists()


def test_10_1_links_into_the_cache_can_be_added_again(tmp_path: Path, dvc: Dvc) -> None:
    ours, theirs = make_pair(tmp_path, "[cache]", "    type = symlink")
    dvc("checkout", cwd=ours)
    dvc("checkout", cwd=theirs)
    with opened(ours) as project:
        done = data.add(project, ["d", "m.bin"])
    dvc("add", "d", "m.bin", cwd=theirs)
    assert done.paths == () and done.notes == ()
    assert facts(ours) == facts(theirs)
    assert trees.texts(ours) == trees.texts(theirs)
    assert trees.objects(ours) == trees.objects(theirs)


def test_10_1_a_repository_cannot_ask_for_links(tmp_path: Path) -> None:
    ours, _ = make_pair(tmp_path)
    (ours / ".dvc/config").write_text('[cache]\n    type = "symlink,hardlink"\n')
    with opened(ours) as project:
        data.checkout(project)
    assert {kind for kind, _ in facts(ours).values()} == {"own"}


def test_10_1_a_cache_shared_by_a_group_has_dvcs_modes(tmp_path: Path, dvc: Dvc) -> None:
    """`cache.shared = group` with a cache outside of the project, used by both programs in turn."""
    modes = {}
    for name in ("ours", "theirs"):
        project = builders.make_project(tmp_path / name)
        shared = tmp_path / f"{name}-cache"
        user_config(project, "[cache]", f"    dir = {shared}", "    shared = group")
        builders.write_tree(project, {"d/a": "1", "d/b": "2", "f": "3"})
        if name == "ours":
            with opened(project) as one:
                data.add(one, ["d", "f"])
        else:
            dvc("add", "d", "f", cwd=project)
        modes[name] = {
            path.relative_to(shared).as_posix(): oct(stat.S_IMODE(path.stat().st_mode))
            for path in sorted(shared.rglob("*"))
            if not path.name.endswith(".tmp")
        }
    assert modes["ours"] == modes["theirs"]
    assert set(modes["ours"].values()) == {"0o2775", "0o444"}
    dvc("add", "d", "f", cwd=tmp_path / "ours")
    assert dvc_status(dvc, tmp_path / "ours") == {}
    assert_project_clean(tmp_path / "theirs")


def assert_project_clean(folder: Path) -> None:
    with opened(folder) as project:
        status = project.workspace.status()
    assert {one.output.path: one.state.name for one in status.outputs} == {"d": "CLEAN", "f": "CLEAN"}
    assert not any(one.missing for one in status.outputs)


def test_10_1_a_cache_that_only_the_repository_asks_for_is_told_and_not_used(
    project: Path, tmp_path: Path
) -> None:
    """`dvc cache dir FOLDER` writes into .dvc/config: what DVC stored there seems to be missing until the user agrees."""
    shared = tmp_path / "shared"
    (project / ".dvc/config").write_text(f"[cache]\n    dir = {shared}\n")
    with opened(project) as ours:
        assert ours.cache_folder == project / ".dvc/cache"
        problems = review.status(ours).problems
        assert [one.file for one in problems] == [".dvc/config"]
        assert f"dvc config --local cache.dir {shared}" in problems[0].reason
    user_config(project, "[cache]", f"    dir = {shared}")
    with opened(project) as ours:
        assert ours.cache_folder == shared
        assert review.status(ours).problems == ()
