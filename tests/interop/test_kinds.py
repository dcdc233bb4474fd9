"""Outputs that `dvc add` alone does not make: of pipelines, imported ones, and those of cloud-versioned remotes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status, our_states, our_status
from interop.projects import opened
from modelkeep.core.errors import MissingObjects, Refused, Unsupported
from modelkeep.core.values import State
from modelkeep.core.workflows import data
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


def test_10_1_outputs_of_a_pipeline(project: Path, dvc: Dvc) -> None:
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


_MANY = """\
vars:
- settings.yaml
- names: [one, two]
stages:
  each:
    foreach: ${names}
    do:
      cmd: mkdir -p out && echo ${item} > out/${item}.txt
      outs:
      - out/${item}.txt
  keyed:
    foreach:
      a: {size: 1}
      b: {size: 2}
    do:
      wdir: deep
      cmd: mkdir -p ${key} && echo ${item.size} > ${key}/n
      outs:
      - ${key}:
          desc: made of ${key}
          persist: true
  grid:
    matrix:
      kind: [x, y]
      n: [1, 2]
    cmd: echo ${item.kind}${item.n} > g-${item.kind}-${item.n}.bin
    outs:
    - g-${item.kind}-${item.n}.bin:
        push: false
  score:
    cmd: echo '{"acc":1}' > m.json && echo '{"acc":1}' > kept.json && echo 'a,b' > p.csv && echo ${top.lr} > lr.txt
    params: [top.lr]
    outs: [lr.txt]
    metrics:
    - m.json: {cache: false}
    - kept.json
    plots:
    - p.csv: {x: a}
metrics:
- m.json
plots:
- p.csv
"""


def test_10_1_stages_that_stand_for_many(project: Path, dvc: Dvc, remote: Path) -> None:
    """foreach, matrix, templates, metrics and plots with and without cache: each found, none that is gone."""
    builders.set_default_remote(project, str(remote))
    builders.write_tree(
        project,
        {
            "dvc.yaml": _MANY,
            "settings.yaml": "extra: 1\n",
            "params.yaml": "top:\n  lr: 0.1\n",
            "deep/.keep": "",
        },
    )
    dvc("repro", cwd=project)
    expected = {
        "out/one.txt", "out/two.txt", "deep/a", "deep/b", "g-x-1.bin", "g-x-2.bin", "g-y-1.bin", "g-y-2.bin",
        "kept.json", "p.csv", "lr.txt",
    }  # fmt: skip
    snapshot = open_workspace(project).outputs()
    assert not snapshot.problems
    assert {out.path for out in snapshot.outputs if out.cached} == expected
    assert {out.path for out in snapshot.outputs if not out.cached} == {"m.json"}
    assert_clean(project)

    lines = (
        (project / "dvc.yaml")
        .read_text()
        .replace("n: [1, 2]", "n: [2]")
        .replace("names: [one, two]", "names: [one]")
    )
    (project / "dvc.yaml").write_text(lines)  # the lock keeps the stages that are gone
    gone = {"out/two.txt", "g-x-1.bin", "g-y-1.bin"}
    assert set(our_states(project)) == expected - gone
    builders.make_commit(project, {}, "Fewer")
    with opened(project) as ours:
        head = ours.git().resolve("HEAD")
        found = ours.catalogue.snapshot(head)
        assert {out.path for out in found.outputs if out.cached} == expected - gone
        data.push(ours)
    sent = {path.name for path in remote.rglob("*") if path.is_file()}
    assert builders.md5("one\n")[2:] in sent and builders.md5("x2\n")[2:] not in sent  # push: false
    assert "Everything is up to date" in dvc("push", cwd=project).stdout
    kept = sorted(path for path in expected - gone if not path.startswith("g-"))
    trees.remove_data(project, kept)
    shutil.rmtree(project / ".dvc/cache")
    with opened(project) as ours:
        data.pull(ours, kept)
    told = {name for name, changes in dvc_status(dvc, project).items() if "changed outs" in str(changes)}
    assert told == {"grid@x-2", "grid@y-2"}  # which were never sent


def test_10_1_templates_that_cannot_be_resolved_are_said(project: Path, dvc: Dvc) -> None:
    """Never guessed, and never passed over: the rest is read, and the stage is a problem of its file."""
    builders.write_tree(
        project,
        {
            "dvc.yaml": "stages:\n  a:\n    cmd: x\n    outs: ['${nowhere}']\n  b:\n    cmd: y\n    outs: [plain]\n"
        },
    )
    snapshot = open_workspace(project).outputs()
    assert [out.path for out in snapshot.outputs] == ["plain"]
    assert [(one.file, "nowhere" in one.reason) for one in snapshot.problems] == [("dvc.yaml", True)]
    assert dvc("status", cwd=project, check=False).returncode
    assert dvc("gc", "-w", "-f", cwd=project, check=False).returncode


def test_10_1_what_a_pipeline_makes_is_not_added_by_hand(project: Path, dvc: Dvc) -> None:
    builders.write_tree(project, {"raw.txt": "raw\n", "dvc.yaml": _PIPELINE, "work/.keep": ""})
    dvc("repro", cwd=project)
    (project / "work/model.pkl").write_text("changed")
    with opened(project) as ours, pytest.raises(Refused, match="make"):
        data.add(ours, ["work/model.pkl"])


# -- imports -------------------------------------------------------------------------------------------


@pytest.fixture
def importing(project: Path, dvc: Dvc, tmp_path: Path, remote: Path) -> Path:
    """A project with a folder imported from another one, a file imported by address, and one not downloaded."""
    source = builders.make_project(tmp_path / "source")
    builders.set_default_remote(source, str(tmp_path / "source-remote"))
    builders.track_folder(source, "d", {"a": "a\n", "b": "b\n"})
    builders.track_file(source, "later", "later")
    builders.make_commit(source, {}, "Data")
    dvc("push", cwd=source)
    builders.write_tree(tmp_path, {"outside.bin": "o\n"})
    builders.set_default_remote(project, str(remote))
    dvc("import", source, "d", cwd=project)
    dvc("import", "--no-download", source, "later", cwd=project)
    dvc("import-url", tmp_path / "outside.bin", "url.bin", cwd=project)
    builders.track_file(project, "own", "own")
    builders.make_commit(project, {}, "Imports")
    return project


def test_10_2_33_imports_are_left_alone(importing: Path, dvc: Dvc, remote: Path, tmp_path: Path) -> None:
    """Of another project never pushed, by address pushed, without download listed as not here; no text changes."""
    before = trees.texts(importing)
    with opened(importing) as ours:
        data.push(ours)
    sent = {path.relative_to(remote).as_posix() for path in remote.rglob("*") if path.is_file()}
    assert sent == {f"files/md5/{name[:2]}/{name[2:]}" for name in (builders.md5("o\n"), builders.md5("own"))}
    assert "Everything is up to date" in dvc("push", cwd=importing).stdout
    assert our_states(importing) == {
        "d": State.CLEAN, "own": State.CLEAN, "url.bin": State.CLEAN, "later": State.NOT_IN_CACHE,
    }  # fmt: skip
    assert trees.texts(importing) == before

    clone = tmp_path / "clone"
    builders.run("git", "clone", "--quiet", importing, clone)
    with opened(clone) as ours, pytest.raises(MissingObjects) as error:
        data.pull(ours)
    assert "dvc pull d" in error.value.hint  # it comes from where it was imported
    assert (clone / "own").read_text() == "own" and (clone / "url.bin").read_text() == "o\n"
    dvc("pull", "d.dvc", "own.dvc", "url.bin.dvc", cwd=clone)
    assert our_states(clone)["d"] is State.CLEAN
    assert trees.texts(clone) == before


def test_10_2_33_an_import_that_was_edited_keeps_a_valid_checksum(importing: Path, dvc: Dvc) -> None:
    """DVC tells of a changed checksum where an import's metafile does not fit itself."""
    (importing / "url.bin").write_text("edited")
    with opened(importing) as ours:
        data.add(ours, ["url.bin"])
    told = dvc("status", "url.bin.dvc", cwd=importing).stdout
    assert "changed checksum" not in told


# -- cloud-versioned outputs ---------------------------------------------------------------------------


def _cloud(md5: str, version: str) -> str:
    return f"cloud:\n{{0}}  s3:\n{{0}}    etag: {md5}\n{{0}}    version_id: {version}"


@pytest.fixture
def cloudy(project: Path) -> Path:
    """What `dvc push` leaves for a version-aware bucket (§1.4), with its objects in the cache."""
    builders.track_file(project, "f", "f\n")
    builders.track_folder(project, "d", {"a": "a\n", "sub/b": "b\n"})
    md5 = {name: builders.md5(name + "\n") for name in "abf"}
    (project / "f.dvc").write_text(
        f"outs:\n- md5: {md5['f']}\n  size: 2\n  hash: md5\n  path: f\n  {_cloud(md5['f'], 'v1').format('  ')}\n"
    )
    files = "".join(
        f"  - relpath: {path}\n    md5: {md5[path[-1]]}\n    size: 2\n    {_cloud(md5[path[-1]], 'v2').format('    ')}\n"
        for path in ("a", "sub/b")
    )
    (project / "d.dvc").write_text(f"outs:\n- hash: md5\n  path: d\n  files:\n{files}")
    (project / ".dvc/config").write_text(
        "[core]\n    remote = bucket\n['remote \"bucket\"']\n    url = s3://bucket/pre\n    version_aware = true\n"
    )
    builders.make_commit(project, {}, "Cloud")
    return project


def test_10_2_37_cloud_versioned_outputs_are_read_and_never_written(cloudy: Path, dvc: Dvc) -> None:
    before = trees.texts(cloudy)
    assert_clean(cloudy)
    assert dvc_status(dvc, cloudy) == {}
    trees.remove_data(cloudy, ["f", "d"])
    with opened(cloudy) as ours:
        data.checkout(ours)
        with pytest.raises(Unsupported, match="cloud-versioned"):
            data.push(ours)
        with pytest.raises(Unsupported, match="cloud-versioned"):
            data.push(ours, ["d"])
        data.pull(ours)  # all is here: nobody need be asked
    assert trees.data(cloudy, ["d", "f"]) == {"d/a": b"a\n", "d/sub/b": b"b\n", "f": b"f\n"}
    assert dvc_status(dvc, cloudy) == {}
    (cloudy / "d/a").write_text("changed")
    assert our_states(cloudy)["d"] is State.MODIFIED
    with opened(cloudy) as ours, pytest.raises(Unsupported):
        data.add(ours, ["d"])
    assert trees.texts(cloudy) == before
    assert {out.output.path: out.output.size for out in our_status(cloudy).outputs} == {"d": 4, "f": 2}


def test_10_2_37_what_is_only_in_the_cloud_is_said(cloudy: Path) -> None:
    shutil.rmtree(cloudy / ".dvc/cache")
    builders.track_file(cloudy, "new", "added since, not yet sent")
    with opened(cloudy) as ours:
        with pytest.raises(Unsupported, match=r"\b[df] is kept in a cloud-versioned remote"):
            data.pull(ours)
        with pytest.raises(Unsupported, match="bucket"):
            data.push(ours, ["new"])
