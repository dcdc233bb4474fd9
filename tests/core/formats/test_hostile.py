"""Metafiles and pipelines made to do harm: each is refused with our error, or leads nowhere outside."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelkeep.core.errors import InvalidFile
from modelkeep.core.formats.metafile import parse_metafile
from modelkeep.core.formats.pipeline import pipeline_outputs

A = "0cc175b9c0f1b6a831c399e269772661"
GOOD = f"outs:\n- md5: {A}\n  size: 1\n  hash: md5\n  path: x\n"


def out(path: str = "x", more: str = "", md5: str = A) -> str:
    return f"outs:\n- md5: {md5}\n  size: 1\n  hash: md5\n  path: {path}\n{more}"


BILLION = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nmeta: [*b,*b,*b]\n"
HOSTILE = {
    "parent": out("../x"), "far parent": out("a/../../x"), "absolute": out("/etc/passwd"), "root": out("."),
    "up": out(".."), "nul": out('"a\\0b"'), "git": out(".git/config"), "git case": out(".GIT/config"),
    "git dot": out(".git./x"), "git short": out("git~1/x"), "git stream": out('".git::$INDEX_ALLOCATION/x"'),
    "git ignorable": out('".g\\u200cit/x"'), "git fullwidth": out('"\\uff0egit/x"'), "dvc": out(".dvc/config"),
    "hg": out(".hg/hgrc"), "deep git": out("a/.git/hooks/post-checkout"), "drive": out("C:x"),
    "drive path": out("'C:\\x'"), "unc": out("'\\\\srv\\share'"), "backslash": out("'a\\b'"),
    "surrogate": out('"\\ud800"'), "url": out("s3://bucket/x"), "remote url": out("remote://r/x"),
    "metafile": out("y.dvc"), "pipeline": out("a/dvc.yaml"), "empty path": out("''"), "null path": out("null"),
    "list path": out("[a]"), "map path": out("{a: b}"), "number path": out("12"), "date path": out("2020-01-01"),
    "bool path": out("true"), "wdir up": "wdir: ../..\n" + GOOD, "wdir absolute": "wdir: /tmp\n" + GOOD,
    "wdir backslash": "wdir: 'a\\..\\..'\n" + GOOD, "wdir list": "wdir: [a]\n" + GOOD, "wdir git": "wdir: .git\n" + GOOD,
    "md5 traversal": out(md5="../../../../etc/passwd"), "md5 short": out(md5="abc"), "md5 upper": out(md5=A.upper()),
    "md5 newline": out(md5=f'"{A}\\n"'), "md5 list": out(md5="[a]"), "md5 dir dir": out(md5=A + ".dir.dir"),
    "md5 number": out(md5="61230315635059227299115225839792"), "md5 bool": out(md5="true"),
    "sha": f"outs:\n- md5: {A}\n  hash: sha256\n  path: x\n", "etag": "outs:\n- etag: abc\n  path: x\n",
    "size text": out().replace("size: 1", "size: '1'"), "size negative": out().replace("size: 1", "size: -1"),
    "size huge": out().replace("size: 1", f"size: {'9' * 40}"), "size absurd": out().replace("size: 1", "size: " + "9" * 5000),
    "size bool": out().replace("size: 1", "size: true"), "nfiles float": out(more="  nfiles: 1.5\n"),
    "unknown key": out(more="  evil: 1\n"), "unknown top": "evil: 1\n" + GOOD, "metric": out(more="  metric: true\n"),
    "cmd": "cmd: rm -rf /\n" + GOOD, "duplicate key": out(more="  path: y\n"), "duplicate top": GOOD + GOOD,
    "same out": GOOD + f"- md5: {A}\n  path: ./x\n", "nested out": GOOD + f"- md5: {A}\n  path: x/y\n",
    "labels": out(more="  labels: [1]\n"), "cache text": out(more="  cache: 'no'\n"), "two clouds": out(more="  cloud: {a: {}, b: {}}\n"),
    "cloud list": out(more="  cloud: []\n"), "files text": out(more="  files: x\n"),
    "files traversal": f"outs:\n- hash: md5\n  path: d\n  files:\n  - {{relpath: ../x, md5: {A}}}\n",
    "files clash": f"outs:\n- hash: md5\n  path: d\n  files:\n  - {{relpath: a, md5: {A}}}\n  - {{relpath: a/b, md5: {A}}}\n",
    "files no path": f"outs:\n- hash: md5\n  path: d\n  files:\n  - {{md5: {A}}}\n", "outs map": "outs: {path: x}\n",
    "outs text": "outs: x\n", "out text": "outs: [x]\n", "no path": f"outs:\n- md5: {A}\n", "top list": "- a\n", "top text": "a\n",
    "python": "outs: !!python/object/apply:os.system ['id']\n", "tag": out("!evil x"), "set": "meta: !!set {a}\n",
    "billion laughs": BILLION, "alias": "meta: *x\n", "anchor": "meta: &x 1\n", "merge": "<<: {outs: []}\n",
    "deep flow": "meta: " + "[" * 20000, "deep map": "meta: " + "{a: " * 20000, "deep block": "- " * 3000 + "a\n",
    "two documents": GOOD + "---\n" + GOOD, "control": "meta: \x01\n", "tab": "meta:\n\t- a\n", "unclosed": "meta: [a\n",
    "quote": "meta: 'a\n", "conflict": "<<<<<<< a\n" + GOOD + "=======\n" + GOOD + ">>>>>>> b\n", "date key": "2020-13-45: a\n",
    "bad date": "meta: 2020-13-45\n", "complex key": "? [a]\n: b\n", "deps": "deps: [{evil: 1}]\n",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_metafiles_are_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidFile) as error:
        parse_metafile(text.encode(), "sub/x.dvc" if "wdir: ../.." in text else "x.dvc")
    assert error.value.file in ("x.dvc", "sub/x.dvc")


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"a" * (1 << 20) + b"bc", b"\x00"])
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidFile):
        parse_metafile(data, "x.dvc")


def test_billion_laughs_in_a_pipeline() -> None:
    with pytest.raises(InvalidFile, match="alias"):
        pipeline_outputs(
            "dvc.yaml", f"vars:\n- {{{BILLION.splitlines()[0]}}}\n".encode(), None, lambda _: None
        )


PIECES = st.sampled_from(
    ["..", ".", "a", "b", ".git", ".dvc", "", "C:", "~", "x.dvc", "dvc.yaml", "\\", "é", " ", "$", "%"]
)
PATHS = st.lists(PIECES, max_size=5).map("/".join)


@settings(max_examples=300, deadline=None)
@given(PATHS, PATHS, st.sampled_from(["x.dvc", "a/x.dvc", "a/b/c/x.dvc"]))
def test_a_returned_path_is_always_beneath_the_project(path: str, wdir: str, file: str) -> None:
    text = f"wdir: {_quoted(wdir)}\nouts:\n- path: {_quoted(path)}\n"
    try:
        (output,) = parse_metafile(text.encode(), file)
    except InvalidFile:
        return
    assert_beneath(output.path)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_give_outputs_or_our_error(data: bytes) -> None:
    try:
        outputs = parse_metafile(data, "x.dvc")
    except InvalidFile:
        return
    for output in outputs:
        assert_beneath(output.path)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def assert_beneath(path: str) -> None:
    assert path and not path.startswith("/") and posixpath.normpath(path) == path
    assert not {"..", ".git", ".dvc"} & set(path.split("/"))
