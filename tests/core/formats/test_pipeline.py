"""Outputs of `dvc.yaml` ∩ `dvc.lock`: folders, flags, templates; what cannot be told is a Problem."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelkeep.core.errors import InvalidFile
from modelkeep.core.formats.pipeline import artifact_types, pipeline_outputs
from modelkeep.core.values import Kind, ObjectId

A = "0cc175b9c0f1b6a831c399e269772661"
YAML = """\
vars:
- base: out
- extra.json:names
- conf/more.toml
stages:
  prep:
    cmd: python prep.py ${unknown.to.us}
    wdir: sub/${base}
    outs:
    - ${base}.bin
    - raw: {cache: false, desc: text, persist: true}
    - kept:
        remote: other
        push: false
    metrics:
    - ../m.json: {cache: false}
    plots:
    - p.csv: {x: a, y: b}
  each:
    foreach: ${names}
    do:
      cmd: x
      outs: ["models/${item}.pt"]
  pairs:
    foreach:
      one: {lr: 0.1, on: true}
      two: {lr: 1e-5, on: false}
    do:
      cmd: x
      outs: ["${key}-${item.lr}-${item.on}"]
  rows:
    foreach: [{n: 1}, {n: 2}]
    do:
      cmd: x
      outs: ["row${item.n}"]
  grid:
    matrix:
      size: ${sizes}
      kind: [{n: a}, {n: b}]
    cmd: x
    outs: ["g/${item.size}-${item.kind.n}-${key}"]
  local:
    cmd: x
    vars: [{mine: here}]
    outs: ["${mine}/${sizes[1]}/${deep[x].y}"]
  escaped:
    cmd: x
    outs: ['a\\${base}']
artifacts:
  m: {path: sub/out/out.bin, type: dataset}
"""
FILES = {
    "params.yaml": b"sizes: [1, 2]\ndeep: {x: {y: z}}\nbase2: q\n",
    "extra.json": json.dumps({"names": ["a", "b"], "base": "not loaded"}).encode(),
    "conf/more.toml": b"[more]\nx = 1\n",
}
EXPECTED = {
    "prep": ["sub/out/out.bin", "sub/out/raw", "sub/out/kept", "sub/m.json", "sub/out/p.csv"],
    "each@a": ["models/a.pt"], "each@b": ["models/b.pt"], "pairs@one": ["one-0.1-true"],
    "pairs@two": ["two-1e-05-false"], "rows@0": ["row1"], "rows@1": ["row2"],
    "grid@1-kind0": ["g/1-a-1-kind0"], "grid@1-kind1": ["g/1-b-1-kind1"],
    "grid@2-kind0": ["g/2-a-2-kind0"], "grid@2-kind1": ["g/2-b-2-kind1"],
    "local": ["here/2/z"], "escaped": ["a${base}"],
}  # fmt: skip


def read(text: str, lock: str | None = None, files: dict[str, bytes] | None = None, path: str = "dvc.yaml"):
    return pipeline_outputs(path, text.encode(), lock.encode() if lock else None, (files or {}).get)


def by_stage(outputs) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for out in outputs:
        found.setdefault(out.stage, []).append(out.path)
    return found


def test_every_form_of_template() -> None:
    outputs, problems = read(YAML, files=FILES)
    assert problems == ()
    assert by_stage(outputs) == EXPECTED


def test_real_dvc_finds_the_same_outputs(
    tmp_path: Path, dvc: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "dvc.yaml").write_text(YAML.replace("${unknown.to.us}", "").replace("'a\\${base}'", "esc"))
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    listed = dvc("stage", "list", "--name-only", cwd=tmp_path).stdout.split()
    assert sorted(listed) == sorted(EXPECTED)
    graph = dvc("dag", "--outs", "--dot", cwd=tmp_path).stdout
    found = {line.strip().strip('";') for line in graph.splitlines() if line.strip().startswith('"')}
    assert found == {path for paths in EXPECTED.values() for path in paths} - {"a${base}"} | {"esc"}


def test_flags_kinds_and_types() -> None:
    outputs, _ = read(YAML, files=FILES)
    found = {out.path: out for out in outputs}
    assert found["sub/out/out.bin"].type == "dataset" and found["sub/out/out.bin"].kind is Kind.DATASET
    raw, kept, metrics, plots = (
        found[p] for p in ("sub/out/raw", "sub/out/kept", "sub/m.json", "sub/out/p.csv")
    )
    assert (raw.cached, raw.desc, kept.remote, kept.push, kept.cached) == (
        False,
        "text",
        "other",
        False,
        True,
    )
    assert (metrics.cached, metrics.kind, plots.cached, plots.kind) == (
        False,
        Kind.METRICS,
        True,
        Kind.METRICS,
    )
    assert artifact_types("a/dvc.yaml", b"artifacts:\n  m: {path: x, type: model}\n") == {"a/x": "model"}


LOCK = f"""\
schema: '2.0'
stages:
  gone:
    cmd: x
    outs:
    - {{path: old, hash: md5, md5: {A}, size: 1}}
  a:
    cmd: x
    deps:
    - {{path: in, hash: md5, md5: {A}, size: 1}}
    params: {{params.yaml: {{lr: 0.1}}}}
    outs:
    - path: m
      hash: md5
      md5: {A}.dir
      size: 7
      nfiles: 3
    - {{path: legacy, md5: {A}, size: 1, isexec: true}}
    - {{path: undeclared, hash: md5, md5: {A}}}
"""


def test_the_lock_counts_only_for_what_the_pipeline_declares() -> None:
    outputs, problems = read(
        "stages:\n  a:\n    cmd: x\n    wdir: w\n    outs: [m, legacy, fresh]\n", LOCK, path="p/dvc.yaml"
    )
    assert problems == ()
    made, legacy, fresh = outputs
    assert (made.path, made.oid, made.size, made.nfiles) == ("p/w/m", ObjectId(A, is_dir=True), 7, 3)
    assert legacy.oid == ObjectId(A, legacy=True) and legacy.is_exec
    assert fresh.oid is None and fresh.metafile == "p/dvc.yaml"


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("outs: ['${nope}']", "no value is known"), ("outs: ['${a']\n    wdir: '${a.b.c}'", "no value"),
        ("outs: ['${}']", "not a template"), ("outs: ['${list}']", "not a text"), ("vars: [none.yaml]\n    outs: ['${a}']", "missing"),
        ("vars: [../x.yaml]\n    outs: ['${a}']", "outside"), ("vars: [x.py]\n    outs: ['${a}']", "missing"),
        ("vars: [{a: 2}]\n    outs: ['${a}']", "twice"), ("vars: ['${a}']\n    outs: ['${a}']", "may not contain"),
        ("outs: [../x]", "outside"), ("outs: [/x]", "absolute"), ("outs: [s3://b/x]", "outside the project"), ("outs: [.git/config]", ".git"),
        ("matrix: {a: [" + "1," * 400 + "], b: [" + "1," * 400 + "]}\n    outs: ['${item.a}']", "more than"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_a_problem_of_that_stage(stage: str, reason: str) -> None:
    text = f"vars: [{{a: 1, list: [1]}}]\nstages:\n  bad:\n    cmd: x\n    {stage}\n  good:\n    cmd: x\n    outs: [fine]\n"
    outputs, problems = read(text)
    assert [out.path for out in outputs if out.stage == "good"] == ["fine"]
    assert problems and all("bad" in problem.reason for problem in problems)
    assert any(reason in problem.reason for problem in problems)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "evil: 1", "stages: []", "stages: {a: 1}", "stages: {a: {}}", "stages: {a: {cmd: x, evil: 1}}",
        "stages: {a: {cmd: x, outs: x}}", "stages: {a: {cmd: x, outs: [1]}}", "stages: {a: {cmd: x, outs: [{x: {evil: 1}}]}}",
        "stages: {a: {cmd: x, outs: [{x: 1}]}}", "stages: {a: {cmd: x, outs: [x, x/y]}}", "stages: {a: {foreach: [1]}}",
        "stages: {a: {foreach: [1], do: {cmd: x}, cmd: y}}", "artifacts: {m: {type: model}}", "artifacts: []",
        "stages: {a: {cmd: x, wdir: ../..}}", "stages: {a: {cmd: x, wdir: 3}}", "stages: {a: {cmd: x, outs: [x.dvc]}}",
    ],
)  # fmt: skip
def test_broken_pipelines_are_refused(text: str) -> None:
    with pytest.raises(InvalidFile):
        read(text)


@pytest.mark.parametrize(
    "lock",
    [
        "x", "stages: {}", "schema: 2.0\nstages: {}", "schema: '1.0'", "schema: '2.0'\nstages: {a: 1}",
        "schema: '2.0'\nstages: {a: {cmd: x, outs: [{path: m, md5: ../x}]}}", "schema: '2.0'\nstages: {a: {cmd: x, outs: [{md5: a}]}}",
        "schema: '2.0'\nstages: {a: {cmd: x, outs: [{path: m, evil: 1}]}}",
    ],
)  # fmt: skip
def test_broken_locks_are_refused(lock: str) -> None:
    with pytest.raises(InvalidFile, match=r"dvc\.lock"):
        read("stages:\n  a:\n    cmd: x\n    outs: [m]\n", lock)


PIECES = st.sampled_from(
    ["${", "}", "a", ".", "[", "]", "0", "${a}", "\\", "..", "/", "${l[0]}", "item", "${d}", " "]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=6).map("".join), st.lists(PIECES, max_size=4).map("".join))
def test_any_template_gives_paths_beneath_or_a_problem(out: str, wdir: str) -> None:
    top = {
        "vars": [{"a": "../..", "l": ["x"], "d": {}}],
        "stages": {"s": {"cmd": "x", "wdir": wdir, "outs": [out]}},
    }
    try:
        outputs, problems = read(json.dumps(top))
    except InvalidFile:
        return
    assert len(outputs) + len(problems) == 1
    assert not any({"", ".."} & set(output.path.split("/")) for output in outputs)
