"""What stops a clean-up before anything is removed: whatever is unreadable, unfinished or at work."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import builders
from cleaning import EVERY, FORGET, NOW, backup, clean, here, key
from modelkeep.core.engine.locks import project_lock
from modelkeep.core.errors import Busy, Refused
from modelkeep.core.project import Project
from modelkeep.core.workflows import gc
from modelkeep.core.workflows.gc import Keep


@pytest.mark.parametrize("text", [b"", b"outs: [", b"outs:\n- path: f\n  nonsense: 1\n"])
def test_a_metafile_that_cannot_be_understood_stops_it(shop: Project, text: bytes) -> None:
    (shop.root / "f.dvc").write_bytes(text)
    with pytest.raises(Refused, match=r"f\.dvc in the workspace"):
        gc.plan_gc(shop, FORGET)


def test_a_metafile_that_cannot_be_read_stops_it(shop: Project) -> None:
    with (shop.root / "huge.dvc").open("wb") as file:
        file.truncate(33 << 20)
    with pytest.raises(Refused, match=r"huge\.dvc"):
        gc.plan_gc(shop, FORGET)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"bad.dvc": "outs:\n- nonsense: 1\n  path: bad\n"}, r"bad\.dvc"),
        ({"dvc.yaml": "stages:\n  a:\n    cmd: x\n    outs: ['${unknown}']\n"}, r"dvc\.yaml.*unknown"),
        ({"twice.dvc": f"outs:\n- md5: {builders.md5('x')}\n  hash: md5\n  path: f\n"}, "f is tracked"),
    ],
    ids=["metafile", "template", "doubled"],
)
def test_an_unreadable_version_in_the_scope_stops_it(shop: Project, files: dict[str, str], told: str) -> None:
    broken = builders.make_commit(shop.root, files, "Broken")
    builders.git(shop.root, "rm", "--quiet", *files)
    builders.make_commit(shop.root, {}, "Mended")
    with pytest.raises(Refused, match=told) as error:
        gc.plan_gc(shop, Keep(commits=True))
    assert broken[:10] in error.value.title
    clean(shop)  # it is not in this scope
    assert here(shop.root, *EVERY) == NOW


def test_a_commit_that_git_cannot_read_stops_it(shop: Project) -> None:
    tree = builders.git(shop.root, "rev-parse", "v1^{tree}")
    (shop.root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(Refused, match=builders.git(shop.root, "rev-parse", "v1^{commit}")):
        gc.plan_gc(shop, Keep(tags=True))


def _folder_whose_list_is_not_here(shop: Project, content: str) -> Path:
    """The place of the list in the cache. (A list that was read before is known in this process.)"""
    name = builders.track_folder(shop.root, "e", {"x": content})
    return shop.root / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}.dir"


def test_a_list_of_files_that_is_elsewhere_is_read_there(shop: Project, remote: Path) -> None:
    place = _folder_whose_list_is_not_here(shop, "only listed there")
    with pytest.raises(Refused, match="the list of files of e in the workspace") as error:
        place.rename(place.with_suffix(".away"))
        gc.plan_gc(shop, FORGET)
    assert "store does not have it" in error.value.detail or "storage does not have it" in error.value.detail
    place.with_suffix(".away").rename(place)
    backup(shop.root, remote)
    place.unlink()
    clean(shop)
    assert here(shop.root, *EVERY, "only listed there") == NOW | {"only listed there"}


def test_a_damaged_list_of_files_is_not_believed(shop: Project, remote: Path) -> None:
    place = _folder_whose_list_is_not_here(shop, "of a damaged list")
    place.chmod(0o644)
    place.write_text("[]")
    backup(shop.root, remote)
    with pytest.raises(Refused, match="the list of files of e in the workspace"):
        gc.plan_gc(shop, FORGET)


def test_what_by_design_is_nowhere_does_not_stop_it(shop: Project) -> None:
    name = builders.track_folder(shop.root, "mine", {"x": "never pushed"})
    with (shop.root / "mine.dvc").open("a") as file:
        file.write("  push: false\n")
    (shop.root / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}.dir").unlink()
    plan = gc.plan_gc(shop, FORGET)
    assert "The list of files of mine" in plan.notes[0]
    assert key("never pushed") in plan.only_here
    with pytest.raises(Refused, match="the list of files of mine"):
        gc.plan_gc(shop, FORGET, even_unpushed=True)


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("publish", {"version": "v2", "message": "", "base": "0" * 40, "step": "commit", "add": [], "commit_paths": [], "before": {}}),
        ("restore", {"version": "v1", "branch": ""}),
        ("op", {"operation": "checkout", "started": "2026-01-01T00:00:00+00:00", "outputs": ["f"]}),
    ],
)  # fmt: skip
def test_what_is_unfinished_stops_it(shop: Project, name: str, record: dict[str, object]) -> None:
    if name == "restore":
        record = record | {
            key: builders.git(shop.root, "rev-parse", ref)
            for key, ref in {"commit": "v1^{commit}", "base": "HEAD"}.items()
        }
    builders.write_tree(shop.root / ".dvc/tmp/modelkeep", {f"{name}.json": json.dumps(record)})
    with pytest.raises(Refused):
        gc.plan_gc(shop, FORGET)


def test_it_waits_for_nobody_who_is_at_work(shop: Project) -> None:
    plan = gc.plan_gc(shop, FORGET)
    with project_lock(shop.root, False, command="dvc add"), pytest.raises(Busy):
        gc.collect(shop, plan, yes=False)
    stage = {"read": {}, "write": {str(shop.root / "out"): {"pid": os.getppid(), "cmd": "dvc repro"}}}
    (shop.root / ".dvc/tmp/rwlock").write_text(json.dumps(stage))
    with pytest.raises(Busy, match="out"):
        gc.collect(shop, plan, yes=False)
    assert here(shop.root, *EVERY) == set(EVERY)


def test_what_is_needed_since_the_plan_was_made_stays(shop: Project) -> None:
    plan = gc.plan_gc(shop, FORGET)
    assert key("v1") in plan.remove and key("a of v1") in plan.remove
    builders.git(shop.root, "checkout", "--quiet", "v1", "--", "f.dvc", "d.dvc")
    gc.collect(shop, plan, yes=False)
    assert here(shop.root, *EVERY) == NOW | {"v1", "a of v1"}


def test_a_plan_that_was_stopped_is_stopped_again(shop: Project) -> None:
    plan = gc.plan_gc(shop, FORGET)
    place = _folder_whose_list_is_not_here(shop, "came meanwhile")
    place.unlink()
    for _ in range(2):
        with pytest.raises(Refused, match="the list of files of e"):
            gc.collect(shop, plan, yes=False)
    (shop.root / "e.dvc").write_bytes(b"")
    with pytest.raises(Refused, match=r"e\.dvc"):
        gc.collect(shop, plan, yes=False)
    assert here(shop.root, *EVERY) == set(EVERY)
