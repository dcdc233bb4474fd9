"""The list of cases that the description of DVC's format ends with, and a test for each: none may get lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

#: §10.2 of the description of the format, by its numbers (some were merged with others and are not given).
CASES = {
    1: "what a folder consists of", 2: "recorded by one, unchanged to the other", 3: "the order of a manifest",
    6: "the text of a metafile is kept", 7: "an executable file", 8: "an executable within a folder",
    9: "an empty folder", 10: "legacy data and its twins", 12: "changed legacy data", 13: "no layout stands in",
    14: "a wrong object, whatever its mode", 16: "the lock", 18: "the lock by hard links", 19: "lines of .gitignore",
    20: "a push cut off before the list", 22: "an object missing here", 23: "an object cut off on a server",
    24: "modes and temporary names on a remote", 25: "each commit's own remotes", 26: "a broken metafile of the past",
    27: "remotes of outputs, and push: false", 28: "checkout refuses to lose data", 31: "a project inside the data",
    33: "imports", 34: "the configuration", 35: "a file of the same size", 36: "cleaning up", 37: "cloud versions",
    38: "GTO tags", 39: "names that are not UTF-8", 40: "private modes",
}  # fmt: skip
_NAME = re.compile(r"^def (test_10_2_\w+)", re.MULTILINE)


@pytest.fixture(scope="module")
def tested() -> set[int]:
    """The numbers that stand in the names of the tests beside this one: `test_10_2_07_…`, also several in a row."""
    numbers: set[int] = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        for name in _NAME.findall(file.read_text()):
            listed = re.match(r"(?:_\d\d)+", name.removeprefix("test_10_2").replace("_10_2_", "_"))
            assert listed, name
            numbers.update(int(one) for one in listed[0].split("_") if one)
    return numbers


@pytest.mark.parametrize("number", CASES, ids=lambda number: f"10_2_{number:02}")
def test_there_is_a_test_for(number: int, tested: set[int]) -> None:
    assert number in tested, CASES[number]


def test_no_test_bears_a_number_of_its_own(tested: set[int]) -> None:
    assert tested <= CASES.keys()
