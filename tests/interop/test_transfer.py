"""Data pushed by one of us arrives at the other, through a folder as remote."""

from __future__ import annotations

import json
from pathlib import Path

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status
from interop.test_kinds import checkout, write_legacy
from modelkeep.core.engine.cache import Cache, open_cache
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.engine.transfer import Wanted, plan_transfer, run_transfer
from modelkeep.core.stores.local import LocalStore
from workspaces import open_workspace

_TARGETS = ["so", "데이터", "empty", "run.sh", "digits", "exponent", "nothing"]


def make(folder: Path, remote: Path) -> Path:
    """A project with some awkward outputs on disk, none recorded, and a default remote, all of it committed."""
    builders.make_project(folder)
    builders.set_default_remote(folder, str(remote))
    for name in _TARGETS:
        content = trees.OUTPUTS[name]
        if isinstance(content, (str, bytes)):
            builders.write_tree(folder, {name: content})
        else:
            builders.write_tree(folder / name, content)
    return folder


def clone(project: Path, to: Path) -> Path:
    builders.make_commit(project, {}, "Data")
    builders.run("git", "clone", "--quiet", project, to)
    return to


def stores(project: Path, remote: Path) -> tuple[Cache, ObjectStore]:
    cache = open_cache(project / ".dvc/cache", project / ".dvc/tmp/modelkeep/quarantine")
    return cache, ObjectStore(LocalStore(remote), "storage")


def wanted(project: Path) -> list[Wanted]:
    outputs = open_workspace(project).outputs().outputs
    return [Wanted(out.oid, out.path) for out in outputs if out.oid is not None]


def cloud_status(dvc: Dvc, project: Path) -> dict[str, object]:
    return json.loads(dvc("status", "--cloud", "--json", cwd=project).stdout)


def test_we_push_and_dvc_pulls(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    project = make(tmp_path / "ours", remote)
    open_workspace(project).add(_TARGETS)
    cache, storage = stores(project, remote)
    result = run_transfer(plan_transfer(cache, storage, wanted(project)), cache, storage)
    assert not result.failed

    assert cloud_status(dvc, project) == {}
    other = clone(project, tmp_path / "clone")
    dvc("pull", cwd=other)
    assert trees.data(other, _TARGETS) == trees.data(project, _TARGETS)
    assert dvc_status(dvc, other) == {}
    assert "Everything is up to date" in dvc("push", cwd=other).stdout


def test_dvc_pushes_and_we_fetch(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    project = make(tmp_path / "theirs", remote)
    dvc("add", *_TARGETS, cwd=project)
    write_legacy(project)
    dvc("push", cwd=project)

    other = clone(project, tmp_path / "clone")
    cache, storage = stores(other, remote)
    result = run_transfer(plan_transfer(storage, cache, wanted(other)), storage, cache)
    assert not result.failed
    checkout(other)
    assert trees.data(other, _TARGETS) == trees.data(project, _TARGETS)
    assert (other / "one.txt").read_bytes() == b"one\r\nfile\r\n"
    assert_clean(other)
    assert dvc_status(dvc, other) == {}
