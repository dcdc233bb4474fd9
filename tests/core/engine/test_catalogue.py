"""What versions track, from Git blobs alone: each metafile once, every rule of dvc-format §2.3."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine import catalogue_plain
from modelkeep.core.engine.catalogue import Catalogue
from modelkeep.core.engine.history import History
from modelkeep.core.values import Kind, Snapshot, Version, VersionKind

git = builders.git


def metafile(path: str, text: str = "x", more: str = "") -> str:
    return f"outs:\n- md5: {builders.md5(text)}\n  size: {len(text)}\n  hash: md5\n  path: {path}\n{more}"


def at(folder: Path, name: str = "HEAD") -> Snapshot:
    history = History.open(folder)
    return Catalogue(history).snapshot(history.resolve(name))


def paths(snapshot: Snapshot) -> list[str]:
    return [out.path for out in snapshot.outputs]


def test_outputs_with_their_facts(project: Path) -> None:
    name = builders.track_file(project, "models/net.pt", "weights")
    folder = builders.track_folder(project, "data/images", {"a.png": "a", "b/c.png": "c"})
    builders.make_commit(project)
    found = at(project)
    assert paths(found) == ["data/images", "models/net.pt"] and not found.problems
    images, model = found.outputs
    assert images.oid is not None and images.oid.name == f"{folder}.dir" and images.nfiles == 2
    assert model.oid is not None and model.oid.hash == name and model.kind is Kind.MODEL
    assert model.metafile == "models/net.pt.dvc"


def test_working_tree_is_never_looked_at(project: Path) -> None:
    builders.make_commit(project, {"a.dvc": metafile("a")})
    (project / "a.dvc").unlink()
    assert paths(at(project)) == ["a"]


def test_pipeline_outputs_metrics_in_git_and_templates(project: Path) -> None:
    yaml = (
        "vars:\n- other.yaml\nstages:\n  train:\n    cmd: x\n    outs:\n    - ${model}\n"
        "    metrics:\n    - metrics.json:\n        cache: false\n"
    )
    lock = (
        "schema: '2.0'\nstages:\n  train:\n    cmd: x\n    outs:\n"
        f"    - path: m.pt\n      hash: md5\n      md5: {builders.md5('m')}\n      size: 1\n"
        f"    - path: metrics.json\n      hash: md5\n      md5: {builders.md5('j')}\n      size: 1\n"
    )
    files = {"dvc.yaml": yaml, "dvc.lock": lock, "params.yaml": "a: 1\n", "other.yaml": "model: m.pt\n"}
    builders.make_commit(project, files, "one")
    builders.make_tag(project, "v1")
    builders.make_commit(project, {"other.yaml": "model: n.pt\n"}, "same dvc.yaml, another parameter")
    history = History.open(project)
    catalogue = Catalogue(history)
    found = catalogue.snapshot(history.resolve("v1"))
    assert paths(found) == ["m.pt", "metrics.json"]
    metrics = found.find("metrics.json")
    assert metrics is not None and metrics.kind is Kind.METRICS and not metrics.cached
    assert "n.pt" in paths(catalogue.snapshot(history.resolve("HEAD")))
    assert paths(catalogue.snapshot(history.resolve("v1"))) == ["m.pt", "metrics.json"]


def test_dvcignore_of_that_commit_counts(project: Path) -> None:
    files = {"keep/a.dvc": metafile("a"), "skip/b.dvc": metafile("b"), "keep/no/c.dvc": metafile("c")}
    builders.make_commit(project, {**files, ".dvcignore": "skip/\n", "keep/.dvcignore": "no\n"})
    builders.make_tag(project, "v1")
    builders.make_commit(project, {".dvcignore": "", "keep/.dvcignore": ""})
    assert paths(at(project, "v1")) == ["keep/a"]
    assert paths(at(project)) == ["keep/a", "keep/no/c", "skip/b"]


def test_other_projects_links_and_outputs_are_not_entered(project: Path) -> None:
    files = {
        "a.dvc": metafile("data"),
        "data/inner.dvc": metafile("x"),
        "nested/.dvc/config": "",
        "nested/n.dvc": metafile("n"),
        "nested/deep/n.dvc": metafile("n"),
        "real/r.dvc": metafile("r"),
        "folder.dvc/f.dvc": metafile("f"),
    }
    builders.write_tree(project, files)
    (project / "link.dvc").symlink_to("a.dvc")
    (project / "linked").symlink_to("real")
    builders.write_tree(project, {".dvc/evil.dvc": metafile("e")})
    builders.make_commit(project)
    git(project, "add", "-f", ".dvc/evil.dvc", "data/inner.dvc")
    git(project, "commit", "-q", "--allow-empty", "-m", "more")
    found = at(project)
    assert paths(found) == ["data", "folder.dvc/f", "real/r"] and not found.problems


def test_a_broken_metafile_is_a_problem_and_hides_nothing(project: Path) -> None:
    bad = {
        "bad.dvc": "outs: [\n",
        "empty.dvc": "",
        "up.dvc": metafile("../../x"),
        "hash.dvc": metafile("h").replace(builders.md5("x"), "../../../etc/passwd"),
        "sub/dvc.yaml": "stages: 3\n",
    }
    builders.make_commit(project, {"good.dvc": metafile("good"), **bad})
    found = at(project)
    assert paths(found) == ["good"]
    assert {one.file for one in found.problems} == set(bad)
    assert all(one.reason for one in found.problems)


def test_a_path_tracked_twice_is_a_problem(project: Path) -> None:
    builders.make_commit(project, {"a.dvc": metafile("d"), "b.dvc": metafile("d")})
    found = at(project)
    assert paths(found) == ["d"] and [one.file for one in found.problems] == ["b.dvc"]


def test_a_project_in_a_subfolder(git_repo: Path) -> None:
    builders.make_commit(git_repo, {"README": "before the project\n"}, "start")
    builders.make_tag(git_repo, "before")
    files = {"p/q/.dvc/config": "[core]\n", "p/q/a.dvc": metafile("a"), "out.dvc": metafile("o")}
    builders.make_commit(git_repo, files, "with project")
    history = History.open(git_repo / "p/q")
    catalogue = Catalogue(history)
    head, before = history.resolve("HEAD"), history.resolve("before")
    assert paths(catalogue.snapshot(head)) == ["a"]
    assert catalogue.blob(head, "a.dvc") is not None
    assert catalogue.snapshot(before).outputs == ()
    assert catalogue.blobs([head, before], ".dvc/config") == {head.commit: b"[core]\n", before.commit: None}


def test_200_tags_parse_each_metafile_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []
    files = [f"d{n % 4}/f{n}.dvc" for n in range(20)]
    for tag in range(200):
        changed = files if tag == 0 else [files[tag % 20]]
        lines.append(f"commit refs/heads/main\ncommitter T <t@t> {1700000000 + tag} +0000\ndata 1\nc")
        lines += ["from refs/heads/main^0"] if tag == 0 else []
        for file in changed:
            text = metafile(Path(file).stem, f"{file}{tag}")
            lines.append(f"M 100644 inline {file}\ndata {len(text)}\n{text}")
        lines.append(f"reset refs/tags/v{tag}\nfrom refs/heads/main\n")
    builders.write_tree(project.parent, {"stream": "\n".join(lines)})
    with open(project.parent / "stream", "rb") as stream:
        subprocess.run(["git", "fast-import", "--quiet"], cwd=project, stdin=stream, check=True)
    parsed: list[str] = []
    real = catalogue_plain.parse_metafile

    def counting(data: bytes, path: str) -> object:
        parsed.append(path)
        return real(data, path)

    monkeypatch.setattr(catalogue_plain, "parse_metafile", counting)
    history = History.open(project)
    tags = history.versions().tags
    catalogue = Catalogue(history)
    begun = time.process_time()
    found = catalogue.snapshots(tags)
    taken = time.process_time() - begun
    assert len(found) == 200 and all(len(one.outputs) == 20 for one in found.values())
    assert len(parsed) == 20 + 199
    assert found["refs/tags/v5"].find("d1/f5") != found["refs/tags/v4"].find("d1/f5")
    catalogue.snapshots(tags)
    assert len(parsed) == 20 + 199
    monkeypatch.setattr(catalogue_plain.PlainVersions, "read", lambda *_: {})
    assert Catalogue(history).snapshots(tags) == found  # by the rules for all versions
    assert taken < 2  # far more than it takes, far less than a git per tag


def test_a_tree_that_multiplies_without_end_is_a_problem(project: Path) -> None:
    blob = git(project, "hash-object", "-w", "-t", "blob", ".dvcignore")
    entries = "".join(f"100644 blob {blob}\tf{n}.dvc\n" for n in range(10))
    tree = make_tree(project, entries)
    for _ in range(9):
        tree = make_tree(project, "".join(f"040000 tree {tree}\td{n}\n" for n in range(10)))
    commit = git(project, "commit-tree", "-m", "bomb", tree)
    history = History.open(project)
    begun = time.process_time()
    found = Catalogue(history).snapshot(Version(VersionKind.COMMIT, "bomb", "", commit))
    assert found.problems and time.process_time() - begun < 10  # ten thousand million files would take days


def make_tree(repo: Path, entries: str) -> str:
    (repo.parent / "entries").write_text(entries)
    with open(repo.parent / "entries", "rb") as stdin:
        done = subprocess.run(["git", "mktree"], cwd=repo, stdin=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_an_object_that_is_gone_is_a_problem(project: Path) -> None:
    builders.make_commit(project, {"a.dvc": metafile("a"), "sub/b.dvc": metafile("b")})
    for name in ("HEAD:sub", "HEAD:a.dvc"):
        sha = git(project, "rev-parse", name)
        (project / ".git/objects" / sha[:2] / sha[2:]).unlink()
    found = at(project)
    assert found.outputs == () and {one.file for one in found.problems} == {"a.dvc", "sub/"}


def test_real_dvc_projects_are_read(project: Path, dvc: object) -> None:
    builders.write_tree(project, {"data/a b.txt": "1", "data/한글.txt": "2", "m.pt": "3"})
    dvc("add", "-q", "data", "m.pt", cwd=project)  # type: ignore[operator]
    builders.make_commit(project)
    assert paths(at(project)) == ["data", "m.pt"]
