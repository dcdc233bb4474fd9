"""Our `.dvc` bytes against those of real DVC, in both directions."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelkeep.core.formats.manifest import make_manifest
from modelkeep.core.formats.metafile import Recorded, new_metafile, parse_metafile, update_metafile
from modelkeep.core.values import ObjectId

RealDvc = Callable[..., str]
FILES = {
    "a b.txt": b"22",
    "no": b"1",
    "1": b"2",
    "1e3": b"3",
    "12.5": b"4",
    "0x1f": b"5",
    "true": b"6",
    "null": b"7",
    "~": b"8",
    "1:30": b"9",
    "2020-01-01": b"10",
    "=": b"11",
    "데이터셋.csv": b"12",
    "naïve – 𝒳.bin": b"13",
    "qu\"ote's": b"14",
    "#lead": b"15",
    "- dash": b"16",
    "? mark": b"17",
    "name: colon": b"18",
    "a # hash": b"19",
    "{brace}": b"20",
    "tab\there": b"21",
    "bell\x07": b"22b",
    "del\x7f": b"22c",
    "nbsp\u00a0here": b"22d",
    "rlo\u202eexe": b"22e",
    "trail ": b"23",
    "@at": b"24",
    "%percent": b"25",
    "&amp": b"26",
    "*": b"27",
    "!bang": b"28",
    "|pipe": b"29",
    "'single'": b"30",
    "we[ird]*.txt": b"31",
    "numeric": b"682577\n",
    "scientific": b"574565\n",
    "empty": b"",
    "a_directory_with_a_really_long_name_that_makes_the_line_exceed_eighty_columns_for_sure.bin": b"32",
    "file name with spaces and more words to be wrapped around the eightieth column, ok.txt": b"33",
    "한국어 이름이 아주 긴 파일 이름은 어떻게 접히는지 확인하기 위한 것입니다 그래서 아주 길게 적어 보았습니다.txt": b"34",
    "tool.sh": b"35",
}
SO = {
    "a b": "4\n", "a-d": "3\n", "a.d/z": "2\n", "a/z": "1\n", "new\nline": "nl", 'qu"ote\\back': "q",
    "x_B": "B", "x_Z": "Z", "x_a b": "a b", "x_a-b": "a-b", "x_a.txt": "a.txt", "x_a_b": "a/b", "x_~": "~",
    "x_é": "é", "x_𝒳": "𝒳", "é": "e", "！": "fw", "𝒳": "m",
}  # fmt: skip
MW = {"Z": "", "a b": "22", "z-1": "\r\n", "z/é.txt": "1", "z/𝒳": "x"}
HANDMADE = """\
# top comment
outs:
- path: e1   # trailing
  desc: hello
  labels: [a, b]
  type: data
  meta: {k: 1}
  md5: fadb8ed4394ef4c1e7b2e2288117b583.dir
  hash: md5
  remote: foo
  push: false
  cache: true
meta:
  owner: me
desc: stage desc
"""
LEGACY = "outs:\n- md5: dd8c6a395b5dd36c56d23275028f526c\n  size: 6\n  path: legacy.txt\n"
SPREAD = """\
# kept apart from the data
wdir: ..
outs:
    - {md5: 0cc175b9c0f1b6a831c399e269772661, size: 1, hash: md5, path: moved.bin, isexec: true}
"""


def md5(data: bytes) -> ObjectId:
    return ObjectId(hashlib.md5(data).hexdigest())


def write_tree(root: Path, tree: dict[str, str]) -> tuple[ObjectId, int]:
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    manifest, _ = make_manifest([(name, md5(text.encode()).hash) for name, text in tree.items()])
    return manifest.oid, sum(len(text.encode()) for text in tree.values())


@pytest.fixture(scope="module")
def expected(dvc_project: Path) -> dict[str, bytes]:
    """Makes the files and says what each metafile must be, by our own engine."""
    wanted = {}
    for name, data in FILES.items():
        (dvc_project / name).write_bytes(data)
        is_exec = name == "tool.sh"
        if is_exec:
            os.chmod(dvc_project / name, 0o755)
        wanted[name] = new_metafile([Recorded(name, md5(data), len(data), is_exec=is_exec)])
    for name, tree in {"so": SO, "mw": MW}.items():
        oid, size = write_tree(dvc_project / name, tree)
        wanted[name] = new_metafile([Recorded(name, oid, size, len(tree))])
    (dvc_project / "hollow").mkdir()
    hollow, _ = make_manifest([])
    wanted["hollow"] = new_metafile([Recorded("hollow", hollow.oid, 0, 0)])
    return wanted


def test_new_metafiles_are_what_dvc_writes(
    dvc_project: Path, real_dvc: RealDvc, expected: dict[str, bytes]
) -> None:
    real_dvc("add", "--no-relink", "--", *expected)
    for name, data in expected.items():
        assert (dvc_project / f"{name}.dvc").read_bytes() == data, name
        (out,) = parse_metafile(data, f"{name}.dvc")
        assert out.path == name


def test_directory_vectors() -> None:
    so, _ = make_manifest([(name, md5(text.encode()).hash) for name, text in SO.items()])
    mw, _ = make_manifest([(name, md5(text.encode()).hash) for name, text in MW.items()])
    assert so.oid.name == "78a083c321cbe6b094f7b866b5697afe.dir"
    assert mw.oid.name == "f098129cb2f26d81ffe98a330318bb2a.dir"


def test_updates_are_what_dvc_writes(dvc_project: Path, real_dvc: RealDvc) -> None:
    oid, size = write_tree(dvc_project / "e1", {"x": "1", "y/z": "2"})
    (dvc_project / "legacy.txt").write_bytes(b"new\n")
    (dvc_project / "moved.bin").write_bytes(b"abc")
    (dvc_project / "meta").mkdir()
    cases = {
        "e1.dvc": (HANDMADE, Recorded("e1", oid, size, 2)),
        "legacy.txt.dvc": (LEGACY, Recorded("legacy.txt", md5(b"new\n"), 4)),
        "moved.bin.dvc": (SPREAD.replace("wdir: ..", "wdir: ."), Recorded("moved.bin", md5(b"abc"), 3)),
    }
    (dvc_project / ".dvc/config").write_text(
        "[core]\n    no_scm = True\n['remote \"foo\"']\n    url = /tmp/foo\n"
    )
    ours = {}
    for name, (text, record) in cases.items():
        (dvc_project / name).write_text(text)
        ours[name] = update_metafile(text.encode(), name, [record])
    real_dvc("add", "--no-relink", "e1", "legacy.txt", "moved.bin")
    for name, data in ours.items():
        assert (dvc_project / name).read_bytes().decode() == data.decode(), name


def test_dvc_reads_our_metafile_in_a_folder_of_its_own(dvc_project: Path, real_dvc: RealDvc) -> None:
    (dvc_project / "models").mkdir()
    (dvc_project / "models/m.bin").write_bytes(b"model")
    (dvc_project / "registry").mkdir()
    ours = new_metafile([Recorded("models/m.bin", md5(b"model"), 5)], wdir="..")
    (dvc_project / "registry/m.dvc").write_bytes(ours)
    real_dvc("commit", "-f", "registry/m.dvc")
    assert (dvc_project / "registry/m.dvc").read_bytes() == ours
    assert parse_metafile(ours, "registry/m.dvc")[0].path == "models/m.bin"


def test_imports_get_the_checksum_dvc_gives_them(dvc_project: Path, real_dvc: RealDvc) -> None:
    source = dvc_project.parent / "source.bin"
    source.write_bytes(b"2\n")
    real_dvc("import-url", str(source), "imported.bin")
    theirs = (dvc_project / "imported.bin.dvc").read_bytes()
    record = Recorded("imported.bin", md5(b"2\n"), 2)
    other = update_metafile(theirs, "imported.bin.dvc", [Recorded("imported.bin", md5(b"other"), 5)])
    assert other.splitlines()[0] != theirs.splitlines()[0]
    assert update_metafile(other, "imported.bin.dvc", [record]) == theirs
