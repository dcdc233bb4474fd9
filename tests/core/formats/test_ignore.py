"""`.dvcignore` as real DVC applies it, and the `.gitignore` lines it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelkeep.core.errors import InvalidFile, Unsupported
from modelkeep.core.formats.ignore import IgnoreRules, gitignore_line, with_ignored, without_ignored

RealDvc = Callable[..., str]
RULES = {
    "": "# comment\n  *.tmp  \n\n!keep.tmp\n/anchored\nonlydir/\nsub/deep/x\n**/any\n\\#hash\n\\!bang\nq?[ab]\nblocked/\n!blocked/in\n",
    "sub": "*.log\n!*.tmp\nonlydir\n/here\ndir/\n",
    "sub/deep": "!a.log\n*.bin\n",
    "blocked": "!*\n",
}
FILES = [
    "a.tmp", "keep.tmp", "anchored/f", "x/anchored", "onlydir/f", "x/onlydir", "sub/deep/x", "deep/x", "a/b/any", "any",
    "#hash", "!bang", "qza", "qzc", "blocked/in", "blocked/keep.tmp", "sub/a.log", "sub/a.tmp", "sub/x/b.log", "sub/onlydir",
    "sub/here", "sub/x/here", "sub/dir/f", "sub/x/dir", "sub/deep/a.log", "sub/deep/b.log", "sub/deep/c.bin", "c.bin",
    ".git/config", "a/.git", ".hg/x", "a/.hgignore", "데이터.tmp", "sub/deep/.dvcignore", "a/.dvc_not/x", "x.dvc",
]  # fmt: skip


@pytest.fixture(scope="module")
def rules() -> IgnoreRules:
    made = IgnoreRules()
    for folder, text in RULES.items():
        made.add(folder, text.encode())
    return made


def test_same_verdicts_as_dvc(dvc_project: Path, real_dvc: RealDvc, rules: IgnoreRules) -> None:
    for name in FILES:
        (dvc_project / name).parent.mkdir(parents=True, exist_ok=True)
        (dvc_project / name).write_text("x")
    for folder, text in RULES.items():
        (dvc_project / folder / ".dvcignore").write_text(text)
    everything = sorted(
        str(path.relative_to(dvc_project))
        for path in dvc_project.rglob("*")
        if not str(path.relative_to(dvc_project)).startswith(".dvc/") and path.name != ".dvc"
    )
    theirs = set(real_dvc("check-ignore", "--", *everything).splitlines())
    ours = {name for name in everything if rules.ignores(name, (dvc_project / name).is_dir())}
    assert ours == theirs


def test_built_in_rules_need_no_file() -> None:
    empty = IgnoreRules()
    assert (
        empty.ignores(".dvc", True) and empty.ignores("a/.dvc/config", False) and empty.ignores(".git", False)
    )
    assert not empty.ignores("a", True) and not empty.ignores(".gitignore", False)


def test_a_project_inside_is_skipped() -> None:
    rules = IgnoreRules()
    rules.skip_folder("a/in[n]er")
    assert rules.ignores("a/in[n]er", True) and rules.ignores("a/in[n]er/x", False)
    assert not rules.ignores("a/inner", True) and not rules.ignores("in[n]er", True)


def test_an_ignored_dvcignore_has_no_effect() -> None:
    rules = IgnoreRules()
    rules.add("", b".dvcignore\n")
    rules.add("sub", b"*\n")
    assert not rules.ignores("sub/x", False)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"*a*a*a*a*a*b\n", b"x" * 5000, b"a\n" * 600_000])
def test_hostile_files_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidFile, match=r"sub/\.dvcignore"):
        IgnoreRules().add("sub", text)


LINE = st.text(alphabet="ab*?[]!/\\# .^-", max_size=10)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINE, max_size=4), st.text(alphabet="ab/.", min_size=1, max_size=8))
def test_any_pattern_is_applied_or_refused(lines: list[str], path: str) -> None:
    rules = IgnoreRules()
    try:
        rules.add("", "\n".join(lines).encode())
    except InvalidFile:
        return
    assert rules.ignores(path, False) in (True, False)


# -- .gitignore ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("data", "/data"), ("we[ird]*.txt", r"/we\[ird\]\*.txt"), ("!b#a?\\", r"/\!b\#a\?\\"), ("a b", "/a b"),
        ("trail ", "/trail\\ "), ("데이터", "/데이터"),
    ],
)  # fmt: skip
def test_lines_have_dvcs_escapes(name: str, line: str) -> None:
    assert gitignore_line(name) == line


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, b"/x\n"), (b"", b"/x\n"), (b"/a\n", b"/a\n/x\n"), (b"/a", b"/a\n/x\n"), (b"/a\r\n", b"/a\r\n/x\n"),
        (b"/a\n/x\n", None), (b"/x\r\n/a\r\n", None), (b"/a\n/x", None), (b"x\n", b"x\n/x\n"),
    ],
)  # fmt: skip
def test_a_line_is_added_once(before: bytes | None, after: bytes | None) -> None:
    assert with_ignored(before, "x") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, None), (b"", None), (b"/a\n", None), (b"/x\n", b""), (b"/a\n/x\n/b\n", b"/a\n/b\n"), (b"/x\r\n/a", b"/a"),
    ],
)  # fmt: skip
def test_a_line_is_removed(before: bytes | None, after: bytes | None) -> None:
    assert without_ignored(before, "x") == after


def test_a_name_with_a_line_break_cannot_be_ignored() -> None:
    with pytest.raises(Unsupported):
        gitignore_line("a\nb")


def test_lines_are_those_of_real_dvc_in_git(project: Path, dvc: Callable[..., object]) -> None:
    names = ["we[ird]*.txt", "!bang", "#lead", "plain", "a\\b"]
    text = (project / ".gitignore").read_bytes() if (project / ".gitignore").exists() else None
    for name in names:
        (project / name).write_text(name)
        text = with_ignored(text, name) or text
    dvc("add", "--", *names, cwd=project)
    assert sorted((project / ".gitignore").read_bytes().splitlines()) == sorted((text or b"").splitlines())
