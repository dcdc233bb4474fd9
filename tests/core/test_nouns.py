"""Nouns behave as the dataclasses that type checkers and readers take them for."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import pytest

from modelkeep.core.nouns import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Frozen:
    """A value."""

    KINDS: ClassVar[tuple[str, ...]] = ("a", "b")

    name: str
    count: int = 1
    tags: list[str] = field(default_factory=list)
    hidden: str = field(default="quiet", repr=False)

    @property
    def twice(self) -> int:
        """Twice as many."""
        return self.count * 2


@dataclass(slots=True)
class Open:
    """Something that changes."""

    seen: list[int] = field(default_factory=list)
    left: int = 0


@dataclass(frozen=True)
class Base:
    """What others begin with."""

    first: int
    second: int = 2


@dataclass(frozen=True)
class Derived(Base):
    """One field more."""

    third: int = 3


def test_they_are_made_as_dataclasses_are() -> None:
    one = Frozen("x", tags=["t"])
    assert (one.name, one.count, one.tags, one.hidden, one.twice) == ("x", 1, ["t"], "quiet", 2)
    assert Frozen("x").tags is not Frozen("x").tags
    assert repr(one) == "Frozen(name='x', count=1, tags=['t'])"
    assert not hasattr(one, "__dict__") and Frozen.KINDS == ("a", "b")
    assert Derived(1, third=4) == Derived(1, 2, 4) != Derived(1) and Derived(1) != Base(1)
    wrongs: tuple[dict[str, Any], ...] = ({}, {"name": "x", "other": 1})
    for wrong in wrongs:
        with pytest.raises(TypeError):
            Frozen(**wrong)


def test_only_frozen_ones_stay_as_they_are_and_can_be_keys() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Base(1).first = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del Base(1).first
    assert len({Base(1), Base(1), Base(2)}) == 2
    changing = Open()
    changing.left = 3
    changing.seen.append(1)
    assert changing == Open([1], 3) and Open().seen == []
    with pytest.raises(TypeError):
        hash(changing)


def test_copies_and_those_who_ask_for_fields_find_dataclasses() -> None:
    one = Frozen("x", 2, ["t"])
    assert replace(one, count=3) == dataclasses.replace(one, count=3) == Frozen("x", 3, ["t"])
    assert dataclasses.asdict(one) == {"name": "x", "count": 2, "tags": ["t"], "hidden": "quiet"}
    assert [each.name for each in dataclasses.fields(Derived)] == ["first", "second", "third"]
    assert copy.deepcopy(one) == one == pickle.loads(pickle.dumps(one))
    match Base(1, 5):
        case Base(first, second):
            assert (first, second) == (1, 5)


def test_no_small_command_loads_what_only_writes_methods() -> None:
    program = "import sys, modelkeep.cli.looking, modelkeep.cli.moving; print('inspect' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
