"""Why a command cannot be done at this moment, in one sentence for its tooltip. Looks only at the session."""

from __future__ import annotations

from collections.abc import Callable

from modelkeep.core.values import VersionKind
from modelkeep.gui.session import Session
from modelkeep.gui.wording import translate

Condition = Callable[[Session], str | None]


def always(session: Session) -> str | None:
    """Nothing is needed."""
    return None


def open_project(session: Session) -> str | None:
    """A project is open."""
    return None if session.project else translate("Conditions", "Open a project first.")


def writable(session: Session) -> str | None:
    """Data can be added."""
    return open_project(session)


def remote_ready(session: Session) -> str | None:
    """There is a remote to talk to."""
    reason = open_project(session)
    if reason is None and session.facts is not None and not session.facts.remotes:
        return translate("Conditions", "No storage is set up yet. Set it up first: Set up storage…")
    return reason


def publishable(session: Session) -> str | None:
    """A version can be published from here."""
    reason = open_project(session)
    if reason is not None or session.project is None:
        return reason
    if session.project.history is None:
        return translate("Conditions", "This project is not kept in Git, so it has no versions.")
    if session.concerns.unfinished is not None:
        return translate("Conditions", "Resume or undo the unfinished publish first.")
    return None


def unfinished(session: Session) -> str | None:
    """A publish was interrupted."""
    return None if session.concerns.unfinished else translate("Conditions", "No publish was interrupted.")


def half_done(session: Session) -> str | None:
    """A restore or checkout was interrupted."""
    return None if session.concerns.half else translate("Conditions", "No restore was interrupted.")


def undoable(session: Session) -> str | None:
    """An interrupted publish can still be taken back."""
    if session.concerns.unfinished is None:
        return unfinished(session)
    if not session.concerns.unfinished.can_undo:
        return translate("Conditions", "Git was pushed already; it can only be resumed.")
    return None


def past_version(session: Session) -> str | None:
    """A version other than the workspace is chosen."""
    reason = open_project(session)
    if reason is None and session.version.kind is VersionKind.WORKSPACE:
        return translate("Conditions", "Choose a tag, branch or commit first.")
    return reason


def version_remote(session: Session) -> str | None:
    """A version is chosen and there is a remote."""
    return remote_ready(session)


def version_fetchable(session: Session) -> str | None:
    """Data of the chosen version is not on this machine, as far as is known."""
    reason = remote_ready(session)
    found = session.facts.presence(session.version) if session.facts else None
    if reason is None and found is not None and found.here == found.objects:
        return translate("Conditions", "All data of this version is on this machine already.")
    return reason


def comparable(session: Session) -> str | None:
    """There are two versions to compare."""
    reason = open_project(session)
    if reason is not None or session.facts is None:
        return reason
    if session.other is None and session.facts.previous(session.version) is None:
        return translate(
            "Conditions", "There is no version before this one. Ctrl-click a second row to compare."
        )
    return None


def picked_any(session: Session) -> str | None:
    """Something is chosen in Contents."""
    reason = open_project(session)
    return reason if reason or session.picks else translate("Conditions", "Choose an output first.")


def picked_past(session: Session) -> str | None:
    """Something is chosen in the contents of a version other than the workspace."""
    return past_version(session) or picked_any(session)


def picked_remote(session: Session) -> str | None:
    """Something is chosen, and there is a remote."""
    return remote_ready(session) or picked_any(session)


def picked_fetchable(session: Session) -> str | None:
    """Data of what is chosen is not on this machine, as far as is known."""
    reason = picked_remote(session)
    places = [session.places.get(pick.output.path) for pick in session.picks]
    if reason is None and all(place is not None and place.here == place.objects for place in places):
        return translate("Conditions", "This is on this machine already.")
    return reason


def picked_workspace(session: Session) -> str | None:
    """Something is chosen in the workspace."""
    reason = picked_any(session)
    if reason is None and session.version.kind is not VersionKind.WORKSPACE:
        return translate("Conditions", "Choose the workspace first; other versions never change.")
    return reason


def in_workspace(session: Session) -> str | None:
    """Exactly one thing is chosen, and it is a file or folder of the workspace."""
    reason = picked_any(session)
    if reason is None and session.version.kind is not VersionKind.WORKSPACE:
        return translate(
            "Conditions", "This version is not in the workspace. Restore or export it to open its files."
        )
    if reason is None and len(session.picks) > 1:
        return translate("Conditions", "Choose one row.")
    return reason
