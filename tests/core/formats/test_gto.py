"""GTO's tag grammar and the order of versions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.core.formats.gto import parse_gto, version_sort_key
from modelkeep.core.values import GtoName


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("m@v1.2.3", GtoName("m", "register", version="v1.2.3")),
        ("m@v1.2.3!", GtoName("m", "deregister", version="v1.2.3")),
        ("m@v1.2.3#5", GtoName("m", "register", version="v1.2.3", counter=5)),
        ("m@v1.0.0-rc.1+build.5", GtoName("m", "register", version="v1.0.0-rc.1+build.5")),
        ("m#prod#3", GtoName("m", "assign", stage="prod", counter=3)),
        ("m#prod", GtoName("m", "assign", stage="prod")),
        ("m#prod!#4", GtoName("m", "unassign", stage="prod", counter=4)),
        ("m@deprecated", GtoName("m", "deprecate")),
        ("m@created", GtoName("m", "create")),
        ("sub/dir=mm@v0.0.1", GtoName("sub/dir:mm", "register", version="v0.0.1")),
        ("a/b-c_d@v0.0.1", GtoName("a/b-c_d", "register", version="v0.0.1")),
    ],
)
def test_names_of_the_grammar(tag: str, expected: GtoName) -> None:
    assert parse_gto(tag) == expected


@pytest.mark.parametrize(
    "tag",
    [
        "v1.0.0", "m@1.2.3", "m@v1.2", "m@v01.2.3", "m@v1.2.3!!", "m@v1.2.3\n", "-m@v1.2.3", "m-@v1.2.3", "m#", "@v1.2.3",
        "m@latest", "m#prod#", "m#prod#x", "m#prod#4!", "mé@v1.2.3", "m:n@v1.2.3", "a=b=c@v1.2.3", "m@deprecated!", "", "m" * 5000 + "@v1.0.0",
    ],
)  # fmt: skip
def test_other_tags_are_not_gto(tag: str) -> None:
    assert parse_gto(tag) is None


def test_versions_sort_as_semver_says() -> None:
    order = [
        "v0.0.1", "v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta", "v1.0.0-beta", "v1.0.0-beta.2",
        "v1.0.0-beta.11", "v1.0.0-rc.1", "v1.0.0", "v1.2.0", "v1.9.0", "v1.10.0", "v2.0.0",
    ]  # fmt: skip
    shuffled = random.Random(1).sample(order, len(order))
    assert sorted(shuffled, key=version_sort_key) == order


def test_other_names_sort_by_their_numbers() -> None:
    assert sorted(["data-10", "data-9", "data-9a"], key=version_sort_key) == ["data-9", "data-9a", "data-10"]
    names = ["b@v1.0.0", "a@v1.10.0", "a@v1.9.0"]
    assert sorted(names, key=version_sort_key) == ["a@v1.9.0", "a@v1.10.0", "b@v1.0.0"]


@given(st.lists(st.text(max_size=12) | st.from_regex(r"\Av?[0-9²٣]{1,3}(\.[0-9a-z.-]+){0,3}\Z"), max_size=6))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    keys = [version_sort_key(name) for name in sorted(names, key=version_sort_key)]
    assert keys == sorted(map(version_sort_key, names))
    for name in names:
        parse_gto(name)
