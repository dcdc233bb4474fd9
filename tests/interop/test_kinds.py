"""Outputs that `dvc add` alone does not make: pipeline stages and data recorded by DVC 2."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status
from modelkeep.core.values import State
from workspaces import open_workspace

_PIPELINE = """\
vars:
- folder: built
stages:
  make:
    wdir: work
    cmd: mkdir -p ${folder} && cp ../raw.txt ${folder}/copy.bin && cp ../raw.txt model.pkl && echo '{"a":1}' > m.json
    deps:
    - ../raw.txt
    outs:
    - ${folder}
    - model.pkl
    metrics:
    - m.json:
        cache: false
"""


def checkout(project: Path) -> None:
    workspace = open_workspace(project)
    workspace.run_checkout(workspace.plan_checkout(workspace.outputs().outputs))


def test_outputs_of_a_pipeline(project: Path, dvc: Dvc) -> None:
    builders.write_tree(project, {"raw.txt": "raw\n", "dvc.yaml": _PIPELINE, "work/.keep": ""})
    dvc("repro", cwd=project)
    snapshot = open_workspace(project).outputs()
    assert {out.path: (out.stage, out.cached) for out in snapshot.outputs} == {
        "work/built": ("make", True),
        "work/m.json": ("make", False),
        "work/model.pkl": ("make", True),
    }
    assert_clean(project)
    trees.remove_data(project, ["work/built", "work/model.pkl"])
    status = open_workspace(project).status()
    assert {one.output.path: one.state for one in status.outputs} == {
        "work/built": State.DELETED,
        "work/model.pkl": State.DELETED,
    }
    checkout(project)
    assert dvc_status(dvc, project) == {}


def dos2unix(data: bytes) -> str:
    return hashlib.md5(data.replace(b"\r\n", b"\n")).hexdigest()


def write_legacy(project: Path) -> None:
    """What DVC 2 left for a folder with two files that differ in line ends only, and for one more file."""
    cache = project / ".dvc/cache"

    def put(name: str, content: bytes) -> None:
        path = cache / name[:2] / name[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o444)

    crlf, plain = b"a\r\nb\r\n", b"one\r\nfile\r\n"
    twins = dos2unix(crlf)
    rows = json.dumps([{"md5": twins, "relpath": "crlf.txt"}, {"md5": twins, "relpath": "lf.txt"}]).encode()
    listing = f"{hashlib.md5(rows).hexdigest()}.dir"
    put(twins, crlf)
    put(listing, rows)
    put(dos2unix(plain), plain)
    builders.write_tree(
        project,
        {
            "old.dvc": f"outs:\n- md5: {listing}\n  size: 10\n  nfiles: 2\n  path: old\n",
            "one.txt.dvc": f"outs:\n- md5: {dos2unix(plain)}\n  size: {len(plain)}\n  path: one.txt\n",
            "old/crlf.txt": crlf,
            "old/lf.txt": b"a\nb\n",
            "one.txt": plain,
            ".gitignore": "/old\n/one.txt\n",
        },
    )


def test_data_recorded_by_dvc_2(tmp_path: Path, dvc: Dvc) -> None:
    ours, theirs = builders.make_project(tmp_path / "ours"), builders.make_project(tmp_path / "theirs")
    for project in (ours, theirs):
        write_legacy(project)
    before = trees.texts(ours)
    assert dvc_status(dvc, ours) == {}
    assert_clean(ours)
    assert open_workspace(ours).add(["old", "one.txt"]).paths == ()
    assert trees.texts(ours) == before

    trees.remove_data(ours, ["old", "one.txt"])
    checkout(ours)
    assert trees.data(ours, ["old"]) == {"old/crlf.txt": b"a\r\nb\r\n", "old/lf.txt": b"a\r\nb\r\n"}
    assert dvc_status(dvc, ours) == {}

    for project in (ours, theirs):
        builders.write_tree(
            project, {"old/lf.txt": b"a\nb\n", "old/more.txt": b"more\r\n", "one.txt": b"x\r\n"}
        )
    open_workspace(ours).add(["old", "one.txt"])
    dvc("add", "old", "one.txt", cwd=theirs)
    assert trees.texts(ours) == trees.texts(theirs)
    assert dvc_status(dvc, ours) == {}
    assert_clean(theirs)
