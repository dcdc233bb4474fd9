"""The plain reader never disagrees with the full parser, and the full parser refuses what is not data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from modelkeep.core.errors import InvalidFile
from modelkeep.core.formats.plainyaml import read_plain
from modelkeep.core.formats.yamldoc import dump_yaml, load_for_update, load_yaml

PLAIN = """\
schema: '2.0'
stages:
  prep:
    cmd: python train.py --lr 0.1 "$HOME/x" 'y' a:b c#d | tee {out} --more words to
      reach --the eightieth - column && done; x
    deps:
    - path: raw.txt
      hash: md5
      md5: 2306b4377429730ee03a806cff76e92b
      size: 4
    params:
      params.yaml:
        name: '0.1'
        flag: true
    outs:
    - path: 데이터/이름
      md5: '630334416415623642455915400846e6'
      size: 0
"""


def full(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_plain_form_is_read_without_the_full_parser() -> None:
    assert read_plain(PLAIN) == full(PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        "a: no\n", "a: 0o17\n", "a: 017\n", "a: 1e3\n", "a: .5\n", "a: 2020-01-01\n", "a: null\n", "a: ~\n",
        "a: True\n", "a: [b]\n", "a: {b: c}\n", "a: &x b\n", "a: *x\n", "a: !!str b\n", "a: b # c\n", "a: b\n  c\n",
        "a: \n", "a:\n", "a: b\na: c\n", "a:b\n", "- - x\n", "a: |\n  b\n", "\ufeffa: b\n", "a: 'b\n  c'\n",
        "a: \"b\"\n", "a: b ", "---\na: b\n", "a: b\n...\n", "? a\n: b\n", "a: 1_000\n", "a: 0x1f\n", "a: <<\n",
        "<<: a\n", "a: 12345678901234567890\n", "md5: 61230315635059227299115225839792\n",
        "md5: 630334416415623642455915400846e6\n", "a:\n - b\n", "a:\n  - b\n", "a: b:\n", "a: b: c\n", "y: 1\n",
        "a: 'b''c'\n", "- a: b\n  c: d\n- e\n", "a:\n- b\nc: d\n", "a: b\n\nc: d\n", "a: b\r\n", "a:\tb\n",
        "a:\n  b:\n    c: d\n  e: f\n", "a:\n    b: c\n", "1: a\n", "a: b\n c: d\n", "a: b\n  - c\n", "a: b\n  ? c\n", "a: b\n  # c\n", "- a\n  b\n- c\n", "a: b\n  c:\n", "a: b\n  c #d\n", "a: 1\n  b\n", "a: 'b'\n  c\n", "a: b\n  &c *d\n", "a: b\n  \"c\n", "a: b\n  ---\n", "a: true\n  b\n", "- a: b\n  c\n", "- a: b\n   c\n", "a:\n- b\n  c\n", "a:\n- b\nc\n", "- a\n-  b\n", "a: -1\n",
    ],
)  # fmt: skip
def test_plain_reader_agrees_or_gives_up(text: str) -> None:
    plain = read_plain(text)
    if plain is not None:
        assert plain == full(text)


WORDS = st.sampled_from(
    [
        "a",
        "b",
        "md5",
        "path",
        "outs",
        "no",
        "yes",
        "true",
        "null",
        "~",
        "0",
        "12",
        "1e3",
        "012",
        "0x1f",
        ".5",
        "-1",
        "-",
        "--",
        ":",
        "#",
        "'",
        "''",
        "'12'",
        "'a",
        "b'",
        "a:",
        "b:",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&",
        "*",
        "!",
        "|",
        ">",
        "@",
        "%",
        "0cc175b9c0f1b6a831c399e269772661",
        "61230315635059227299115225839792",
        "이름",
        "é",
        "١",
        "\u2028",
        "\x85",
        "²",
        "Ⅷ",
        "_",
    ]
)
LINES = st.builds(
    lambda indent, dash, words: " " * indent + dash + " ".join(words),
    st.sampled_from([0, 0, 1, 2, 4]),
    st.sampled_from(["", "", "- ", "a: ", "b: ", "- a: ", "a:", "path: "]),
    st.lists(WORDS, max_size=3),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=5))
def test_plain_reader_never_disagrees(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    plain = read_plain(text)
    if plain is None:
        return
    try:
        assert plain == full(text)
    except YAMLError as error:
        raise AssertionError(f"accepted what YAML refuses: {text!r}") from error


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=90),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=9), VALUES, min_size=1, max_size=3))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    try:
        data = dump_yaml(value)
    except UnicodeEncodeError:  # lone surrogates have no UTF-8
        return
    assert load_yaml(data, "f") == full(data.decode())


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@?, \n\t~0\\<", max_size=60).map(str.encode)
)
def test_any_bytes_give_a_value_or_our_error(data: bytes) -> None:
    try:
        load_yaml(data, "f")
    except InvalidFile as error:
        assert "f" in str(error)


def test_accepts_what_editors_leave_behind() -> None:
    assert load_yaml(b"\xef\xbb\xbfa: b\r\nc: 'd'\r\n", "f") == {"a": "b", "c": "d"}
    assert load_yaml(b"%YAML 1.1\n---\npath: model\n", "f") == {"path": "model"}
    assert load_yaml(b"# nothing\n", "f") is None


def test_depth_and_size_are_limited() -> None:
    for text in (
        "[" * 20000,
        "{a: " * 20000,
        "".join(" " * i + "a:\n" for i in range(60)),
        "- " * 60 + "a\n",
    ):
        with pytest.raises(InvalidFile, match="deep"):
            load_yaml(text.encode(), "f")
    with pytest.raises(InvalidFile, match="larger"):
        load_yaml(b"a" * (1 << 20) + b"aa", "f")


def test_update_refuses_what_reading_refuses() -> None:
    with pytest.raises(InvalidFile, match="anchor"):
        load_for_update(b"a: &x b\n", "f")
