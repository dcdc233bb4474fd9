"""A clean-up removes what nothing names, and never what anything names: whatever it is that names it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from cleaning import EVERY, FORGET, NOW, backup, clean, here, key, save
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.engine.locks import project_lock
from modelkeep.core.errors import Busy, Refused
from modelkeep.core.project import Project
from modelkeep.core.workflows import data, gc
from modelkeep.core.workflows.gc import Keep

# -- scopes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keep", "stays"),
    [
        (Keep(stashes=False, reflog=False), NOW),
        (Keep(), NOW | {"lost"}),
        (Keep(branches=True, stashes=False, reflog=False), NOW | {"side", "same"}),
        (Keep(tags=True, stashes=False, reflog=False), NOW | {"v1", "a of v1"}),
        (Keep(revs=("v1",), stashes=False, reflog=False), NOW | {"v1", "a of v1"}),
        (Keep(commits=True, stashes=False, reflog=False), set(EVERY) - {"lost", "never"}),
        (Keep(commits=True), set(EVERY) - {"never"}),
    ],
    ids=["workspace", "and the reflog", "branches", "tags", "version", "commits", "everything"],
)
def test_a_scope_keeps_what_it_names(shop: Project, keep: Keep, stays: set[str]) -> None:
    if keep.branches:
        stays = stays | {"a of v1"}  # side has the folder of v1
    if keep.reflog:
        stays = stays | {"a of v1"}
    clean(shop, keep)
    assert here(shop.root, *EVERY) == stays
    assert shop.workspace.status().is_clean


def test_a_version_that_is_checked_out_alone_stays(shop: Project) -> None:
    builders.git(shop.root, "checkout", "--quiet", "--detach", "main~1")
    (shop.root / "f.dvc").write_text(
        (shop.root / "f.dvc").read_text().replace(builders.md5("second"), builders.md5("v1"))
    )
    clean(shop)
    assert here(shop.root, *EVERY) == {"second", "a of second", "same", "v1"}


def test_what_it_belonged_to_is_told(shop: Project) -> None:
    plan = gc.plan_gc(shop, FORGET)
    told = {(one.path, one.versions[0]): one.objects for one in plan.belongs if one.path}
    assert told[("f", "v1")] == 1 and told[("f", "side")] == 1
    assert next(one for one in plan.belongs if one.path == "d").objects == 2  # its list and one file
    assert next(one for one in plan.belongs if not one.path).objects == 2  # "lost" and "never"
    assert sum(one.objects for one in plan.belongs) == len(plan.remove)


# -- what only this machine knows --------------------------------------------------------------------------


def _stash(project: Path) -> None:
    builders.track_file(project, "f", "work")
    builders.track_file(project, "new", "untracked")
    builders.git(project, "stash", "--quiet", "--include-untracked")
    builders.track_file(project, "f", "on top of that")
    builders.git(project, "stash", "--quiet")


def _stash_of_the_index(project: Path) -> None:
    builders.track_file(project, "f", "work")
    builders.git(project, "add", "f.dvc")
    builders.track_file(project, "f", "untracked")
    builders.git(project, "stash", "--quiet")


def _stage(project: Path) -> None:
    for content in ("work", "untracked"):
        builders.track_file(project, "f" if content == "work" else "new", content)
    builders.git(project, "add", "--all")
    builders.git(project, "restore", "--source=HEAD", "--worktree", "f.dvc")
    (project / "new.dvc").unlink()


def _reset(project: Path) -> None:
    save(project, f="work")
    save(project, f="untracked")
    builders.git(project, "reset", "--quiet", "--hard", "HEAD~2")


def _experiment(project: Path) -> None:
    save(project, f="work", new="untracked")
    builders.git(project, "update-ref", "refs/exps/aa/bb", "HEAD")
    builders.git(project, "reset", "--quiet", "--hard", "HEAD~1")


def _merge(project: Path) -> None:
    builders.git(project, "switch", "--quiet", "--create", "theirs", "HEAD~1")
    save(project, f="work")
    builders.git(project, "switch", "--quiet", "main")
    save(project, f="untracked")
    builders.run("sh", "-c", "git merge -q theirs || true", cwd=project)
    builders.git(project, "branch", "-D", "theirs")
    builders.git(project, "checkout", "--quiet", "--ours", "f.dvc")


@pytest.mark.parametrize(
    ("work", "keep"),
    [
        (_stash, Keep(reflog=False)),
        (_stash_of_the_index, Keep(reflog=False)),
        (_stage, FORGET),
        (_reset, Keep(stashes=False)),
        (_experiment, FORGET),
        (_merge, FORGET),
    ],
    ids=["stash", "stashed index", "index", "reset", "experiment", "merge"],
)
def test_work_that_no_version_names_stays(
    shop: Project, remote: Path, work: Callable[[Path], None], keep: Keep
) -> None:
    work(shop.root)
    backup(shop.root, remote)
    clean(shop, keep)
    assert here(shop.root, "work", "untracked", "v1") == {"work", "untracked"}


@pytest.mark.parametrize("work", [_stash, _reset])
def test_unless_it_is_not_wanted(shop: Project, remote: Path, work: Callable[[Path], None]) -> None:
    work(shop.root)
    backup(shop.root, remote)
    clean(shop)
    assert here(shop.root, "work", "untracked") == set()


def test_another_working_tree_keeps_what_it_uses(shop: Project, remote: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    builders.git(shop.root, "worktree", "add", "--quiet", "--detach", str(other), "v1")
    builders.track_file(other, "f", "unsaved there")
    builders.put_object(shop.root / ".dvc/cache", b"unsaved there")
    backup(shop.root, remote)
    clean(shop)
    assert here(shop.root, *EVERY, "unsaved there") == NOW | {"v1", "a of v1", "unsaved there"}
    (other / "f.dvc").write_bytes(b"")
    with pytest.raises(Refused, match=r"f\.dvc"):
        gc.plan_gc(shop, FORGET)


def test_a_working_tree_on_a_drive_that_is_not_there(shop: Project, remote: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    builders.git(shop.root, "worktree", "add", "--quiet", "--detach", str(other), "v1")
    shutil.rmtree(other)
    builders.git(shop.root, "worktree", "lock", str(other))
    with pytest.raises(Refused, match="is not there"):
        gc.plan_gc(shop, FORGET)
    builders.git(shop.root, "worktree", "unlock", str(other))
    clean(shop)
    assert here(shop.root, *EVERY) == NOW | {"v1", "a of v1"}


def test_a_project_in_a_folder_of_the_repository(git_repo: Path, remote: Path) -> None:
    sub = git_repo / "a/b"
    builders.write_tree(
        sub,
        {
            ".dvc/config": f"[core]\n    remote = s\n['remote \"s\"']\n    url = {remote}\n",
            ".dvc/.gitignore": "/tmp\n/cache\n",
        },
    )
    for content in ("staged first", "old", "now", "staged"):
        builders.track_file(sub, "f", content)
        builders.git(git_repo, "add", "--all")
        if content == "staged first":  # there is no commit yet
            with_no_commit = Project.open(sub, vault=MemoryVault())
            assert not gc.plan_gc(with_no_commit, FORGET).only_here
        if content != "staged":
            builders.make_commit(git_repo, {}, content)
    builders.git(git_repo, "restore", "--source=HEAD", "--worktree", "a/b/f.dvc")
    backup(sub, remote)
    project = Project.open(sub, vault=MemoryVault())
    clean(project, Keep(revs=("HEAD",), stashes=False, reflog=False))
    assert here(sub, "staged first", "old", "now", "staged") == {"now", "staged"}
    gc.undo(project)
    clean(project, Keep(commits=True))
    assert here(sub, "staged first", "old", "now", "staged") == {"staged first", "old", "now", "staged"}


def test_a_project_beside_it_that_uses_the_same_cache(shop: Project, remote: Path) -> None:
    sub = shop.root / "sub"
    ignored = "/config.local\n/tmp\n/cache\n"
    builders.write_tree(sub, {".dvc/config": "", ".dvc/.gitignore": ignored})
    for content in ("old there", "now there"):
        builders.track_file(sub, "g", content)
        builders.put_object(shop.root / ".dvc/cache", content.encode())
        builders.make_commit(shop.root, {}, content)
    backup(shop.root, remote)
    plan = gc.plan_gc(shop, FORGET)
    assert key("now there") in plan.remove, "it has a cache of its own"
    (sub / ".dvc/config.local").write_text("[cache]\n    dir = ../../.dvc/cache\n")
    clean(shop)
    assert here(shop.root, "old there", "now there", "third") == {"now there", "third"}
    with project_lock(sub, False, command="dvc add"), pytest.raises(Busy):
        clean(shop, Keep(commits=True))


def test_a_project_that_git_does_not_know_yet(shop: Project, remote: Path) -> None:
    sub = shop.root / "new"
    builders.write_tree(
        sub, {".dvc/config": "", ".dvc/config.local": "[cache]\n    dir = ../../.dvc/cache\n"}
    )
    builders.track_file(sub, "g", "there")
    builders.put_object(shop.root / ".dvc/cache", b"there")
    backup(shop.root, remote)
    clean(shop)
    assert here(shop.root, *EVERY, "there") == NOW | {"there"}


def test_experiments_that_run_beside_it(shop: Project, remote: Path) -> None:
    """Queued ones are stashes of DVC's own; running ones have a copy of the project."""
    save(shop.root, f="queued")
    for message in ("one", "two"):
        builders.git(shop.root, "update-ref", "--create-reflog", "-m", message, "refs/exps/stash", "HEAD")
        builders.git(shop.root, "reset", "--quiet", "--hard", "HEAD~1")
    copy = shop.root / ".dvc/tmp/exps/standalone/tmp1"
    builders.run("git", "clone", "--quiet", str(shop.root), str(copy))
    builders.track_file(copy, "f", "running")
    builders.put_object(shop.root / ".dvc/cache", b"running")
    backup(shop.root, remote)
    clean(shop, Keep(reflog=False))
    assert here(shop.root, "queued", "running", "side") == {"queued", "running"}


def test_links_of_the_data_into_the_cache_are_not_broken(shop: Project) -> None:
    place = shop.root / "f"
    place.unlink()
    place.symlink_to(shop.root / ".dvc/cache" / key("v1"))
    clean(shop)
    assert place.read_text() == "v1"


def test_what_a_forced_checkout_replaced_stays(shop: Project, remote: Path) -> None:
    (shop.root / "f").write_text("unsaved")
    (shop.root / "d/a").write_text("unsaved too")
    data.checkout(shop, force=True)
    backup(shop.root, remote)
    clean(shop)
    assert here(shop.root, "unsaved", "unsaved too") == {"unsaved", "unsaved too"}
    record = next((shop.root / ".dvc/tmp/modelkeep/replaced").iterdir())
    record.write_text("{")
    with pytest.raises(Refused, match="replaced"):
        gc.plan_gc(shop, FORGET)


def test_what_no_remote_has_stays(shop: Project, remote: Path) -> None:
    (remote / key("v1")).unlink()
    (remote / key("side")).unlink()
    (remote / key("side")).write_text("cut")
    plan = gc.plan_gc(shop, FORGET)
    assert set(plan.only_here) == {key("v1"), key("side")}
    assert {one.versions[0] for one in plan.stays} == {"v1", "side"}
    gc.collect(shop, plan, yes=False)
    assert here(shop.root, *EVERY) == NOW | {"v1", "side"}
    clean(shop, even_unpushed=True)
    assert here(shop.root, *EVERY) == NOW


def test_without_a_remote_that_answers_everything_stays(shop: Project, remote: Path) -> None:
    (shop.root / ".dvc/config").write_text("")
    shop.reload()
    assert "No remote is set up" in " ".join(gc.plan_gc(shop, FORGET).notes)
    clean(shop)
    builders.set_default_remote(shop.root, "ssh://nobody@127.0.0.1:1/nowhere")
    shop.reload()
    assert "could not be asked" in " ".join(gc.plan_gc(shop, FORGET).notes)
    clean(shop)
    assert here(shop.root, *EVERY) == set(EVERY)
