"""The address of a remote and the user's word about it: has it changed, and is the new one right.

Connects to nothing. Whoever uses a remote through the project is asked by itself; this is for those who want to
say so before, and for whoever wrote the address at the user's word.
"""

from __future__ import annotations

from contextlib import suppress

from modelkeep.core.engine.addresses import AddressChange
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.paths import visible
from modelkeep.core.project import Project
from modelkeep.core.values import Change, Changes

__all__ = ["AddressChange", "accept", "changed", "is_right", "own_word"]


def changed(project: Project, name: str | None = None) -> AddressChange | None:
    """Where a remote leads now and where it led when it was last used, if that differs. Asks nobody."""
    return project.changed_address(name)


def accept(project: Project, name: str | None = None, address: str = "") -> Changes:
    """The user's word that the address of a remote is right: the present one, or `address`, which another
    version names."""
    place = project.accept_address(name, address)
    return Changes(
        Change.CONFIG, f"{visible(place.address)} is known now as an address of {visible(place.remote)}."
    )


def is_right(project: Project, name: str) -> bool:
    """Whether a remote leads where it led when it was last used, or was never used."""
    try:
        return project.changed_address(name) is None
    except ModelkeepError:
        return False


def own_word(project: Project, name: str) -> None:
    """The address was written at the user's word. One that cannot be used is left to whoever uses it."""
    with suppress(ModelkeepError):
        project.accept_address(name)
