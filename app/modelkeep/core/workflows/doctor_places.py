"""The doctor's checks about places and work: Git, remotes, the cache, locks, leftovers, data only on this machine."""

from __future__ import annotations

import os
import re
import stat
import threading
from pathlib import Path

from modelkeep.core.engine.locks_look import held_locks
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.leftovers import left_in
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Presence
from modelkeep.core.workflows import interrupted, publish_record, review
from modelkeep.core.workflows.doctor import Check, Checks, Examine, State

_OLDEST_GIT = (2, 36)  # the first with core.fsync: before it, what was just saved may not survive a power cut
_PATIENCE = 15.0  # seconds for each remote


def git(project: Project, online: bool, progress: Progress) -> Checks:
    """The version of Git, and who commits."""
    if project.history is None:
        yield Check("git", "Git", State.OK, "This project is not kept in Git.")
        return
    version = project.history.git_version()
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    old = bool(numbers) and numbers < _OLDEST_GIT
    yield Check(
        "git",
        "Git",
        State.WARNING if old else State.OK,
        f"Git {visible(version)} is used.",
        "Versions before 2.36 may lose what was just saved in a power cut: install a newer one."
        if old
        else "",
    )
    who = project.history.identity()
    if who is None:
        advice = 'git config --global user.name "Your Name", and user.email'
        yield Check("identity", "Identity", State.PROBLEM, "Git does not know who you are.", advice)
    else:
        yield Check("identity", "Identity", State.OK, f"You commit as {visible(f'{who[0]} <{who[1]}>')}.")


def remotes(project: Project, online: bool, progress: Progress) -> Checks:
    """Whether each remote answers; asked only `online`."""
    title = "Remotes"
    for one in project.config.remotes():
        name = visible(one.name)
        if not online:
            text, advice = f"{name} was not asked.", "To ask it: modelkeep doctor --online"
            yield Check("remotes", title, State.OK, text, advice)
            continue
        try:
            _ask(project, one.name, progress)
        except ModelkeepError as error:
            advice = error.hint or f"modelkeep remote test {name}"
            yield Check("remotes", title, State.PROBLEM, f"{name}: {error.title}", advice)
        else:
            yield Check("remotes", title, State.OK, f"{name} answers.")


def _ask(project: Project, name: str, progress: Progress) -> None:
    with project.using_remote(name) as remote, progress.interrupting(remote.store.close):
        late = threading.Timer(_PATIENCE, remote.store.close)
        late.daemon = True
        late.start()
        try:
            remote.store.sizes(["modelkeep"], progress=progress)
        finally:
            late.cancel()


def cache(project: Project, online: bool, progress: Progress) -> Checks:
    """Whether the cache can be used, and by whom."""
    title, folder = "Cache", project.cache_folder
    shown = visible(os.fspath(folder))
    try:
        facts = folder.stat()
    except FileNotFoundError:
        yield Check("cache", title, State.OK, f"The cache {shown} is made at its first use.")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        advice = "Ask whoever owns it for the right to write there."
        yield Check("cache", title, State.PROBLEM, f"You may not write to the cache {shown}.", advice)
        return
    yield _shared(project, folder, facts.st_mode)


def _shared(project: Project, folder: Path, mode: int) -> Check:
    title, shown = "Cache", visible(os.fspath(folder))
    if project.config.get("cache", "shared") == "group":
        if not mode & stat.S_IWGRP or not mode & stat.S_ISGID:
            return Check(
                "cache", title, State.WARNING, f"The cache {shown} is to be shared by a group, which may not write there.",
                f"chmod g+ws '{shown}', and to all folders in it",
            )  # fmt: skip
        return Check("cache", title, State.OK, f"The cache {shown} is shared by its group.")
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        text = f"Everybody on this machine may change the cache {shown}."
        return Check("cache", title, State.PROBLEM, text, f"chmod o-w '{shown}'")
    return Check("cache", title, State.OK, f"The cache is {shown}.")


def locks(project: Project, online: bool, progress: Progress) -> Checks:
    """Who works on the project at this moment."""
    title = "Locks"
    git_dir = project.history.git_dir if project.history is not None else None
    found = held_locks(project.root, git_dir)
    if not found:
        yield Check("locks", title, State.OK, "Nobody else works on this project.")
    for one in found:
        text = f"{visible(one.path)} is held by {one.who}."
        advice = (
            "If no git command runs any more, remove the file." if one.is_stale else "Wait until it is done."
        )
        yield Check("locks", title, State.WARNING, text, advice)


def unfinished(project: Project, online: bool, progress: Progress) -> Checks:
    """Work that was interrupted, and what killed programs left behind."""
    title, found = "Interrupted work", False
    for problem in interrupted.notices(project):
        found = True
        yield Check("interrupted", title, State.PROBLEM, problem.reason, "modelkeep checkout")
    record = publish_record.read(project)
    if record is not None:
        found = True
        text = f"Publishing {visible(record['version'])} was interrupted."
        yield Check("interrupted", title, State.PROBLEM, text, "modelkeep publish --resume, or --undo")
    if not found:
        yield Check("interrupted", title, State.OK, "No work was interrupted.")
    top = project.cache_folder
    places = (
        project.root / ".dvc/tmp/modelkeep/stage",
        top,
        top / "files",
        top / "files/md5",
        project.root / ".dvc",
    )
    left = [left_in(os.fspath(place)) for place in places]
    files, size = sum(count for count, _ in left), sum(size for _, size in left)
    if files:
        text = f"Killed programs left {_counted(files, 'temporary file')} ({size:,} bytes)."
        yield Check("leftovers", title, State.OK, text, "They are removed by the next commands.")


def at_risk(project: Project, online: bool, progress: Progress) -> Checks:
    """Data that is on this machine only."""
    title = "Data only on this machine"
    outputs = project.workspace.outputs().outputs
    if not online and project.config.remotes():
        text, advice = "Not looked at: the remotes were not asked.", "modelkeep doctor --online"
        yield Check("at_risk", title, State.OK, text, advice)
        return
    total = Presence()
    for one in review.presence(project, outputs, progress).values():
        total = total + one if total.objects else one
    if total.only_here:
        yield Check(
            "at_risk", title, State.WARNING,
            f"Only on this machine: {_counted(total.only_here, 'object')} ({total.only_here_bytes:,} bytes).",
            "Send them to the remote: modelkeep push",
        )  # fmt: skip
    elif total.nowhere:
        text = (
            f"Neither here nor on the remote: {_counted(total.nowhere, 'object')} that the workspace names."
        )
        yield Check(
            "at_risk", title, State.PROBLEM, text, "Ask whoever saved them to push: modelkeep status -c"
        )
    else:
        yield Check("at_risk", title, State.OK, "All data of the workspace is on its remote.")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


CHECKS: tuple[tuple[str, Examine], ...] = (
    ("Looking at Git", git),
    ("Asking the remotes", remotes),
    ("Looking at the cache", cache),
    ("Looking at locks", locks),
    ("Looking for interrupted work", unfinished),
    ("Looking for data only here", at_risk),
)
