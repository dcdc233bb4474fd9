"""Where secrets stand in config files, and in all that Git remembers of them: places, never values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from modelkeep.core.engine.configuration import config_path, level_folders
from modelkeep.core.errors import ModelkeepError, UnsafePath
from modelkeep.core.formats.config_secrets import FoundSecret, find_secrets
from modelkeep.core.keyfile import look_at
from modelkeep.core.nouns import dataclass, replace
from modelkeep.core.paths import read_small, visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Secret

LOCAL = ".dvc/config.local"
REPO = ".dvc/config"
#: Where a secret can be moved to.
KEYRING, OUT_OF_GIT = "keyring", "local"
_WORDS = {
    "password": "password",
    "url": "password",
    "passphrase": "passphrase of the key",
    "token": "token",
    "session_token": "session token",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret in a config file: where it stands, never what it is.

    `place` is the file for people, `level` its level ("" for one that only the history has). `in_git` means that
    the file belongs to the repository, `in_history` that a commit holds this very secret: `commit` the newest of
    them, `blob` the id of the text. `movable` is "keyring", "local" (into config.local, out of Git) or "", as it is
    for what is commented out (`is_comment`): nobody uses that, so it only has to go.
    """

    place: str
    level: str
    section: str
    key: str
    remote: str = ""
    kind: str = ""
    in_git: bool = False
    in_history: bool = False
    commit: str = ""
    blob: str = ""
    movable: str = ""
    is_comment: bool = False

    @property
    def text(self) -> str:
        """What to tell people, in one sentence."""
        what = "commented-out " if self.is_comment else ""
        what += _WORDS.get(self.key, f"secret ({self.key})")
        whose = f"of the remote {visible(self.remote)}" if self.remote else f"in [{visible(self.section)}]"
        if not self.level:
            return (
                f"A {what} {whose} stands in the history of {visible(self.place)} (commit {self.commit[:10]}): "
                "it is public to everyone with the repository and must be changed on the server."
            )
        text = f"The {what} {whose} stands in {visible(self.place)}"
        if self.in_history:
            return (
                f"{text} and in the Git history: it is public to everyone with the repository and must be changed "
                "on the server."
            )
        return f"{text}, which Git carries to everyone with the repository." if self.in_git else f"{text}."


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found. `local_is_ignored` is False where Git would take config.local into a commit."""

    found: tuple[Finding, ...] = ()
    local_is_ignored: bool = True
    history_searched: bool = False

    @property
    def in_files(self) -> tuple[Finding, ...]:
        """What stands in a file now."""
        return tuple(one for one in self.found if one.level)

    @property
    def in_history(self) -> tuple[Finding, ...]:
        """What everyone with the repository can read."""
        return tuple(one for one in self.found if one.in_history)

    @property
    def movable(self) -> tuple[Finding, ...]:
        """What `migrate` can move."""
        return tuple(one for one in self.found if one.movable)


class HeldSecret(NamedTuple):
    """A finding with its value, for the one who moves it."""

    finding: Finding
    secret: Secret


def scan(project: Project, *, history: bool = True, progress: Progress = SILENT) -> Findings:
    """Look for secrets in the config files of all levels and, with `history`, in every version Git has of them.

    Connects to nothing and changes nothing.
    """
    progress.check()
    now = current(project)
    found = [one.finding for one in now]
    searched = history and project.history is not None
    if searched:
        found = list(_with_history(project, now, progress))
    return Findings(tuple(found), local_is_ignored(project), searched)


def local_is_ignored(project: Project) -> bool:
    """Whether config.local stays out of Git, as it must."""
    git = project.history
    return git is None or (bool(git.is_ignored([LOCAL])) and not git.is_tracked(LOCAL))


def current(project: Project) -> list[HeldSecret]:
    """The secrets in the config files as they are now, the weakest level first."""
    held = []
    for level in level_folders(project.root):
        path = config_path(project.root, level)
        try:
            data = read_small(path)
        except (OSError, UnsafePath):
            continue
        place = {"repo": REPO, "local": LOCAL}.get(level, str(path))
        in_git = project.history is not None and (level == "repo" or (level == "local" and _carried(project)))
        for one in find_secrets(data):
            kind = _kind(project, one)
            finding = Finding(
                place, level, one.section, one.key, one.remote, kind, in_git, is_comment=one.is_comment
            )
            held.append(HeldSecret(replace(finding, movable=_movable(project, finding)), one.secret))
    return held


def _carried(project: Project) -> bool:
    return project.history is not None and project.history.is_tracked(LOCAL)


def _kind(project: Project, found: FoundSecret) -> str:
    known = {one.name: one.kind for one in project.config.remotes() if not one.problem}
    return known.get(found.remote, found.kind)


def _movable(project: Project, finding: Finding) -> str:
    """Modelkeep logs in to SSH servers by itself; what it cannot use can still leave the repository."""
    if finding.level == "system" or finding.is_comment:
        return ""
    if finding.kind == "ssh" and finding.key in ("password", "url"):
        return KEYRING if _has_login(project, finding.remote) else ""
    if finding.kind == "ssh" and finding.key == "passphrase" and look_at(key_file(project, finding.remote)):
        return KEYRING
    return OUT_OF_GIT if finding.level == "repo" and finding.in_git and finding.key != "url" else ""


def _has_login(project: Project, remote: str) -> bool:
    try:
        return project.address(remote) is not None
    except ModelkeepError:
        return False


def key_file(project: Project, remote: str) -> str:
    """The key file that the user, not the repository, named for a remote; "" for none."""
    section = f'remote "{remote}"'
    named = project.config.get(section, "keyfile")
    level = project.config.level_of(section, "keyfile")
    if not named or level is None:
        return ""
    return str(level_folders(project.root)[level] / os.path.expanduser(named))


# -- the history ---------------------------------------------------------------------------------------


def _with_history(project: Project, now: list[HeldSecret], progress: Progress) -> Iterator[Finding]:
    """What stands in files now, each with the commit that has it too, then what only commits have."""
    old = list(_old(project, progress.child("Searching the history")))
    by_value: dict[str, Finding] = {}
    for one in old:
        by_value.setdefault(one.secret.reveal(), one.finding)
    for one in now:
        there = by_value.get(one.secret.reveal())
        if there is None:
            yield one.finding
        else:
            yield replace(one.finding, in_history=True, commit=there.commit, blob=there.blob)
    known = {(one.finding.place, one.finding.section, one.finding.key, one.secret.reveal()) for one in now}
    yield from _once(old, known)


def _once(old: Iterable[HeldSecret], known: set[tuple[str, str, str, str]]) -> Iterator[Finding]:
    for one in old:
        key = (one.finding.place, one.finding.section, one.finding.key, one.secret.reveal())
        if key not in known:
            known.add(key)
            yield one.finding


def _old(project: Project, progress: Progress) -> Iterator[HeldSecret]:
    for one in project.git().old_configs(progress):
        for found in find_secrets(one.data):
            yield HeldSecret(
                Finding(
                    one.path, "", found.section, found.key, found.remote, found.kind,
                    in_history=True, commit=one.commit, blob=one.blob, is_comment=found.is_comment,
                ),
                found.secret,
            )  # fmt: skip
