"""Reading `.dvc` files of every kind DVC writes, and updating them in place."""

from __future__ import annotations

import pytest

from modelkeep.core.errors import InvalidFile, Unsupported
from modelkeep.core.formats.metafile import (
    Recorded,
    is_import,
    metafile_wdir,
    new_metafile,
    parse_metafile,
    update_metafile,
)
from modelkeep.core.values import Kind, ObjectId

A = "0cc175b9c0f1b6a831c399e269772661"
B = "92eb5ffee6ae2fec3ad71c777531578f"
IMPORT_URL = """\
md5: dabb48926b72032e7377496c60546f1a
frozen: true
deps:
- md5: bf072e9119077b4e76437a93986787ef
  size: 2
  hash: md5
  path: /path/to/src/f.bin
outs:
- md5: bf072e9119077b4e76437a93986787ef
  size: 2
  hash: md5
  path: f.bin
"""
IMPORT = """\
md5: 5e521caf88758dc2ce685f1e5e9c1991
frozen: true
deps:
- path: d
  repo:
    url: /path/to/r20
    rev_lock: 65e3205f3095e12ed8448c687b51daf52eb03a60
outs:
- hash: md5
  path: d
"""
CLOUD = """\
outs:
- hash: md5
  path: d
  files:
  - relpath: a
    md5: 60b725f10c9c85c70d97880dfe8191b3
    size: 2
    cloud:
      s3:
        etag: 60b725f10c9c85c70d97880dfe8191b3
        version_id: df3f806e-1f64-4268-8553-47ce0abe0349
  - relpath: b
    md5: 3b5d5c3712955042212316173ccf37be
    size: 2
"""


def parse(text: str, path: str = "x.dvc"):
    return parse_metafile(text.encode(), path)


def test_every_fact_of_an_output() -> None:
    (out,) = parse(
        f"outs:\n- md5: {A}.dir\n  size: 15\n  nfiles: 4\n  hash: md5\n  path: data/\n  desc: d\n  type: model\n"
        "  labels: [a, b]\n  meta: {k: [1]}\n  cache: false\n  push: false\n  remote: other\n",
        "sub/data.dvc",
    )
    assert (out.path, out.metafile, out.oid) == ("sub/data", "sub/data.dvc", ObjectId(A, is_dir=True))
    assert (out.size, out.nfiles, out.kind, out.type) == (15, 4, Kind.MODEL, "model")
    assert (out.cached, out.push, out.remote, out.labels, out.meta) == (
        False, False, "other", ("a", "b"), {"k": [1]},
    )  # fmt: skip


def test_no_hash_key_means_legacy() -> None:
    old, new = parse(f"outs:\n- md5: {A}\n  path: a\n- md5: {B}\n  hash: md5\n  path: b\n  isexec: true\n")
    assert old.oid == ObjectId(A, legacy=True) and not old.is_exec
    assert new.oid == ObjectId(B) and new.is_exec


@pytest.mark.parametrize(
    ("file", "wdir", "path", "expected", "base"),
    [
        ("x.dvc", None, "x", "x", ""),
        ("a/x.dvc", None, "./x", "a/x", "a"),
        ("meta/x.dvc", "..", "models/x", "models/x", ""),
        ("meta/deep/x.dvc", "../..", "x", "x", ""),
        ("meta/x.dvc", "../data", "../x", "x", "data"),
        ("a/x.dvc", "b", "x", "a/b/x", "a/b"),
        ("a/x.dvc", ".", "x", "a/x", "a"),
    ],
)
def test_paths_are_relative_to_the_working_folder(
    file: str, wdir: str | None, path: str, expected: str, base: str
) -> None:
    data = new_metafile([Recorded(path, ObjectId(A), 1)], wdir=wdir)
    assert parse_metafile(data, file)[0].path == expected
    assert metafile_wdir(data, file) == base


def test_empty_documents_and_empty_lists_track_nothing() -> None:
    assert parse("# nothing yet\n") == ()
    assert parse("outs: []\n") == ()
    assert parse("outs:\n") == ()


def test_an_output_without_hash_has_no_version() -> None:
    (out,) = parse(IMPORT)
    assert out.oid is None and out.imported and is_import(IMPORT.encode(), "x.dvc")
    assert parse("outs:\n- md5: ''\n  path: a\n")[0].oid is None


def test_import_url_is_no_import_from_a_repository() -> None:
    (out,) = parse(IMPORT_URL)
    assert not out.imported


def test_cloud_versioned_folder_gets_the_ordinary_manifest() -> None:
    (out,) = parse(CLOUD)
    assert out.cloud and out.is_dir and out.oid == ObjectId("562ee692a592790b08e880eff9046f72", is_dir=True)
    assert (out.size, out.nfiles, [f[0] for f in out.files]) == (4, 2, ["a", "b"])


def test_an_unquoted_number_is_explained() -> None:
    for text in ("61230315635059227299115225839792", "630334416415623642455915400846e6"):
        with pytest.raises(InvalidFile) as error:
            parse(f"outs:\n- md5: {text}\n  path: x\n")
        assert "quotes" in error.value.hint or "63 bits" in str(error.value)


def test_zero_bytes_were_cut_off() -> None:
    with pytest.raises(InvalidFile, match="cut off"):
        parse("")


def test_conflict_markers_are_named() -> None:
    text = f"outs:\n<<<<<<< HEAD\n- md5: {A}\n=======\n- md5: {B}\n>>>>>>> other\n  path: x\n"
    with pytest.raises(InvalidFile, match=r"line 2.*merge conflict") as error:
        parse(text)
    assert "Resolve" in error.value.hint


def test_pipeline_files_of_dvc_1_are_refused() -> None:
    with pytest.raises(InvalidFile, match="cmd"):
        parse("cmd: rm -rf /\nouts:\n- path: x\n")


# -- updating ------------------------------------------------------------------------------------------


def test_nothing_new_gives_the_same_bytes_whatever_the_style() -> None:
    text = f"outs:\n    -  {{path: x, md5: {A}, hash: md5, size: 3}}   # mine\r\n".encode()
    assert update_metafile(text, "x.dvc", [Recorded("x", ObjectId(A), 3)]) is text


def test_new_keys_go_to_the_end_and_obsolete_ones_away() -> None:
    text = f"outs:\n# about x\n- path: x # here\n  nfiles: 3\n  md5: {A}.dir\n  isexec: true\n"
    fresh = update_metafile(text.encode(), "x.dvc", [Recorded("x", ObjectId(B), 9)])
    assert fresh.decode() == f"outs:\n# about x\n- path: x # here\n  md5: {B}\n  size: 9\n  hash: md5\n"


def test_other_outputs_are_kept_and_new_ones_appended() -> None:
    text = f"outs:\n- md5: {A}\n  path: a  # keep\n"
    fresh = update_metafile(text.encode(), "x.dvc", [Recorded("b", ObjectId(B), 1)]).decode()
    assert fresh == f"outs:\n- md5: {A}\n  path: a  # keep\n- md5: {B}\n  size: 1\n  hash: md5\n  path: b\n"


def test_cloud_versioned_outputs_are_not_written() -> None:
    with pytest.raises(Unsupported, match="cloud"):
        update_metafile(CLOUD.encode(), "d.dvc", [Recorded("d", ObjectId(A, is_dir=True), 1, 1)])


@pytest.mark.parametrize("file", ["a.dvc", "models/a.dvc", "data.d/b-c/a.dvc", ".hidden/a.dvc", "한글/a.dvc"])
@pytest.mark.parametrize(
    "name", ["model-00.bin", "a", "images", "yes", "Null", "y", "b.dvc", "dvc.yaml", "a..b"]
)
@pytest.mark.parametrize(
    "text", ["{a}\n  size: 1", "{a}.dir\n  size: 3\n  nfiles: 2", "{a}\n  size: 0\n  isexec: true"]
)
def test_the_quick_reading_of_the_plain_form_says_what_the_full_one_says(
    file: str, name: str, text: str
) -> None:
    plain = f"outs:\n- md5: {text.format(a=A)}\n  hash: md5\n  path: {name}\n"
    assert _read(plain, file) == _read(f"{plain}\n# a comment, so it is not that form\n", file)


@pytest.mark.parametrize("digits", ["1" * 32, "1" * 31 + "e", "0b" + "1" * 30, "1e" + "2" * 30])
def test_the_quick_reading_leaves_what_yaml_takes_for_a_number(digits: str) -> None:
    plain = f"outs:\n- md5: {digits}\n  size: 1\n  hash: md5\n  path: a\n"
    assert _read(plain, "a.dvc") == _read(f"{plain}# a comment\n", "a.dvc")


def _read(text: str, file: str) -> object:
    try:
        return parse_metafile(text.encode(), file)
    except InvalidFile as error:
        return error.reason
