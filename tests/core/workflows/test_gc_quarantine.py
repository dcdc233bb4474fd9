"""What a clean-up takes from a cache: exact names only, into quarantine, and back from there."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from cleaning import EVERY, FORGET, NOW, backup, cached, clean, here, key
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.errors import NotFound, Refused
from modelkeep.core.project import Project
from modelkeep.core.workflows import gc
from modelkeep.core.workflows.gc import Keep

DAY = 86400


def test_only_exact_names_are_seen(shop: Project, tmp_path: Path) -> None:
    cache = shop.root / ".dvc/cache"
    name, temp = "0123456789abcdef0123456789abcd", ".0123456789012345678901.tmp"
    strangers = [
        f"files/md5/ab/{name[:-1]}", f"files/md5/ab/{name}e", f"files/md5/AB/{name}", f"files/md5/abc/{name}",
        f"files/md5/ab/{name.upper()}", f"files/md5/ab/{name}.dirx", f"files/md5/{name}", f"files/sha/ab/{name}",
        "ab/cdef", "README", f"runs/ab/{name}", f"ab/{temp[:-1]}", f"ab/{name}.unpacked/x", f"cd/{name}/x",
        f"files/md5/ab/{temp}", f"files/md5/ab/x{temp}",
    ]  # fmt: skip
    old = [f"files/md5/cd/{temp}", f"files/md5/{temp}", f"ef/{temp}", f"files/md5/cd/{name}{temp}"]
    builders.write_tree(cache, dict.fromkeys([*strangers, *old], "x"))
    for one in [*old, f"files/md5/ab/x{temp}"]:
        os.utime(cache / one, (time.time() - 2 * DAY,) * 2)
    (tmp_path / "elsewhere").mkdir()
    builders.write_tree(tmp_path / "elsewhere", {name: "x"})
    (cache / "0e").symlink_to(tmp_path / "elsewhere")
    builders.write_tree(cache, {f"ee/{name}": "garbage", f"ee/{name}.dir": "[]"})
    done = clean(shop, even_unpushed=True)
    assert set(strangers) <= cached(shop.root)
    assert not set(old) & cached(shop.root)
    assert not [one for one in cached(shop.root) if one.startswith("ee/")]
    assert (tmp_path / "elsewhere" / name).exists()
    assert done.details["temporary_files"] == 4
    gc.undo(shop)
    assert {f"ee/{name}", f"ee/{name}.dir"} <= cached(shop.root)


def test_objects_of_the_older_layout_stay_where_they_are_named(shop: Project) -> None:
    cache = shop.root / ".dvc/cache"
    old, unused = builders.md5("old"), builders.md5("unused")
    (shop.root / "old.dvc").write_text(f"outs:\n- md5: {old}\n  size: 3\n  path: old\n")
    builders.write_tree(cache, {f"{one[:2]}/{one[2:]}": "x" for one in (old, unused)})
    builders.put_object(cache, b"old")
    clean(shop, even_unpushed=True)
    assert f"{old[:2]}/{old[2:]}" in cached(shop.root)
    assert f"{unused[:2]}/{unused[2:]}" not in cached(shop.root)
    assert key("old") not in cached(shop.root), "the two layouts do not stand in for each other"


def test_a_project_without_git(tmp_path: Path, remote: Path) -> None:
    plain = tmp_path / "plain"
    builders.write_tree(
        plain,
        {".dvc/config": f"[core]\n    no_scm = true\n    remote = s\n['remote \"s\"']\n    url = {remote}\n"},
    )
    for content in ("old", "new"):
        builders.track_file(plain, "f", content)
    backup(plain, remote)
    opened = Project.open(plain, vault=MemoryVault())
    clean(opened)
    assert here(plain, "old", "new") == {"new"}


# -- shared caches -----------------------------------------------------------------------------------------


def test_a_cache_that_others_may_use_asks_for_a_plain_yes(shop: Project, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shutil.move(shop.root / ".dvc/cache", shared)
    (shop.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {shared}\n")
    shop.reload()
    plan = gc.plan_gc(shop, FORGET)
    assert not plan.remove and plan.young, "what came a short while ago may be another project's"
    plan = gc.plan_gc(shop, FORGET, grace=0)
    assert "outside of the project" in plan.must_say_yes
    with pytest.raises(Refused, match="others may use it"):
        gc.collect(shop, plan, yes=False)
    assert (shared / key("v1")).exists()
    gc.collect(shop, plan, yes=True)
    assert not (shared / key("v1")).exists() and (shared / key("third")).exists()
    gc.undo(shop)
    assert (shared / key("v1")).exists()


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_a_cache_on_another_disk_has_its_quarantine_there(shop: Project, other_disk: Path) -> None:
    """Objects are renamed, never copied; and DVC does not take what lies there for objects."""
    shutil.copytree(shop.root / ".dvc/cache", other_disk, dirs_exist_ok=True)
    (shop.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {other_disk}\n")
    shop.reload()
    clean(shop, yes=True, grace=0)
    assert not (other_disk / key("v1")).exists()
    assert list((other_disk / ".modelkeep/quarantine").glob(f"gc-*/{key('v1')}"))
    assert gc.undo(shop).files == 7
    assert (other_disk / key("v1")).read_text() == "v1"


# -- quarantine --------------------------------------------------------------------------------------------


def test_undo_puts_everything_back(shop: Project) -> None:
    before = builders.snapshot_of(shop.root / ".dvc/cache")
    clean(shop)
    builders.put_object(shop.root / ".dvc/cache", b"v1")
    assert gc.undo(shop).files == len(before) - len(NOW) - 2  # the list of `d`, and v1 that was there again
    assert builders.snapshot_of(shop.root / ".dvc/cache") == before
    with pytest.raises(NotFound):
        gc.undo(shop)


def test_undo_takes_the_last_one_first(shop: Project) -> None:
    clean(shop, Keep(tags=True, stashes=False, reflog=False))
    clean(shop)
    gc.undo(shop)
    assert here(shop.root, *EVERY) == NOW | {"v1", "a of v1"}
    gc.undo(shop)
    assert here(shop.root, *EVERY) == set(EVERY)


def test_what_was_removed_long_ago_is_deleted_by_a_later_one(shop: Project) -> None:
    clean(shop)
    quarantine = shop.root / ".dvc/tmp/modelkeep/quarantine"
    (pile,) = quarantine.iterdir()
    stranger = quarantine / "0123.damaged"
    stranger.write_text("x")
    assert not gc.plan_gc(shop, FORGET).expired
    pile.rename(pile.with_name("gc-20200101T000000Z"))
    done = clean(shop)
    assert done.details["deleted"] > 3
    assert list(quarantine.iterdir()) == [stranger]


def test_days_are_a_choice_of_the_user(shop: Project) -> None:
    assert gc.keep_days(shop) == 14
    gc.set_keep_days(shop, 0)
    clean(shop)
    assert gc.keep_days(Project.open(shop.root, vault=MemoryVault())) == 0
    assert gc.plan_gc(shop, FORGET).expired


def test_purge_frees_the_space_now(shop: Project) -> None:
    clean(shop)
    assert gc.purge(shop).files > 3
    with pytest.raises(NotFound):
        gc.undo(shop)


def test_a_pile_that_leads_elsewhere_is_not_followed(shop: Project, tmp_path: Path) -> None:
    quarantine = shop.root / ".dvc/tmp/modelkeep/quarantine"
    quarantine.mkdir(parents=True)
    builders.write_tree(tmp_path / "elsewhere", {f"files/md5/ab/{'0' * 30}": "x"})
    (quarantine / "gc-20200101T000000Z").symlink_to(tmp_path / "elsewhere")
    (quarantine / "gc-20200102T000000Z/files").mkdir(parents=True)
    (quarantine / "gc-20200102T000000Z/files/md5").symlink_to(tmp_path / "elsewhere/files/md5")
    clean(shop)
    gc.purge(shop)
    assert (tmp_path / f"elsewhere/files/md5/ab/{'0' * 30}").exists()
