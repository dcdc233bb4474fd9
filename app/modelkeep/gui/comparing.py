"""The commands that compare versions, and which two they would take now. Changes nothing."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from modelkeep.core.values import WORKSPACE, Version
from modelkeep.gui import signs
from modelkeep.gui.session import Session
from modelkeep.gui.wording import translate


def compare(session: Session, window: QWidget) -> None:
    """Compare the two chosen versions, or the chosen one with the one before."""
    pair = _pair(session)
    if pair is not None:
        session.wish.emit("compare", pair)


def what_compare_means(session: Session) -> str:
    """Which two versions Compare would show now, "" if there are none."""
    pair = _pair(session)
    if pair is None:
        return ""
    before, after = (signs.version_name(version) for version in pair)
    return translate("Comparing", "Compare {before} with {after}").format(before=before, after=after)


def _pair(session: Session) -> tuple[Version, Version] | None:
    if session.other is not None:
        return _in_time(session, session.version, session.other)
    before = session.facts.previous(session.version) if session.facts else None
    return None if before is None else (before, session.version)


def compare_workspace(session: Session, window: QWidget) -> None:
    """Compare the chosen version with the workspace."""
    session.wish.emit("compare", (session.version, WORKSPACE))


def _in_time(session: Session, first: Version, second: Version) -> tuple[Version, Version]:
    """The older one first, at the same second the one listed further down; the workspace is the newest."""
    listed = session.facts.versions.all() if session.facts and session.facts.versions else ()
    places = {version.key: place for place, version in enumerate(listed)}

    def age(version: Version) -> tuple[bool, float, int]:
        when = version.when.timestamp() if version.when else 0.0
        return version == WORKSPACE, when, -places.get(version.key, 0)

    older, newer = sorted((first, second), key=age)
    return older, newer
