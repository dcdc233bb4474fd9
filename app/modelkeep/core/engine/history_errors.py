"""Turns what git says on stderr into an error a person understands, without credentials. Runs nothing."""

from __future__ import annotations

import re
import shlex

from modelkeep.core.errors import Busy, ConnectionLost, GitFailed, ModelkeepError, UnsavedChanges
from modelkeep.core.paths import visible
from modelkeep.core.patterns import pattern

_WEB_USER = pattern(r"(https?://)[^/\s@]+@")
_PASSWORD = pattern(r"(\w+://[^/\s:@]+):[^/\s@]+@")


class GitCommandFailed(GitFailed):
    """Git refused for a reason we know. `cause` names it for programs: see `_KNOWN`, or "" if unknown."""

    def __init__(self, title: str, *, cause: str = "", detail: str = "", hint: str = "") -> None:
        super().__init__(title, detail=detail, hint=hint)
        self.cause = cause


# cause, what git says, title, hint; the first that matches wins
_KNOWN: tuple[tuple[str, str, str, str], ...] = (
    (
        "host key changed",
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "The Git server presents another host key than before.",
        "Somebody may be in between. Ask its administrator; only then remove the old key with ssh-keygen -R HOST.",
    ),
    (
        "host key unknown",
        r"Host key verification failed|No \S+ host key is known for",
        "The identity of the Git server is not known yet.",
        "Connect to it once with ssh in a terminal and compare the fingerprint.",
    ),
    (
        "authentication failed",
        r"Authentication failed|could not read (User|Pass)|Permission denied \((pub|pass|key)|HTTP.* 40[13]\b",
        "The Git server did not accept the login.",
        "Check the user name, the password or token, or your SSH key.",
    ),
    (
        "atomic",
        r"atomic push failed|atomic transaction failed",
        "The Git server took nothing, because one of the names was refused.",
        "See the details; then try again.",
    ),
    (
        "behind",
        r"\(non-fast-forward\)|\(fetch first\)|\(stale info\)",
        "The Git server has commits that are not here yet.",
        "Run git pull first, then try again.",
    ),
    (
        "name taken",
        r"already exists|\(already exists\)|reference already exists|cannot create 'refs/",
        "This name is taken already.",
        "Choose another name.",
    ),
    (
        "no identity",
        r"Please tell me who you are|auto-detection is disabled|empty ident name|unable to auto-detect email",
        "Git does not know who you are.",
        'Set it once: git config --global user.name "…" and git config --global user.email "…".',
    ),
    (
        "protocol",
        r"transport '[^']*' not allowed",
        "This kind of Git address is not allowed.",
        "Use an https or ssh address.",
    ),
    (
        "not found",
        r"does not appear to be a git repository|[Rr]epository .*not found|not found: did you run|couldn't find remote ref",
        "There is no Git repository at this address.",
        "Check the address of the Git remote and that you may read it.",
    ),
    (
        "hook",
        r"hook declined|pre-receive|hook.*(exited|failed)",
        "A hook of the repository refused this.",
        "See the details for what it said.",
    ),
)
_LOST = pattern(
    r"Could not resolve host|Connection (refused|timed out|reset|closed)|Network is unreachable|Failed to connect"
    r"|unexpected disconnect|early EOF|the remote end hung up|Operation timed out|No route to host"
)
_LOCK = pattern(r"Unable to create '(?P<file>[^'\n]+\.lock)': File exists")
_DUBIOUS = pattern(r"detected dubious ownership in repository at '(?P<path>[^'\n]+)'")
_OVERWRITE = pattern(
    r"following (?:untracked working tree )?files? would be (?:overwritten|removed)[^\n]*\n(?P<paths>(?:\t[^\n]+\n?)+)"
    r"|local changes to the following files would be overwritten[^\n]*\n(?P<changed>(?:\t[^\n]+\n?)+)"
    r"|Updating the following directories would lose untracked files in them:\n(?P<folders>(?:\t[^\n]+\n?)+)"
)


def redact(text: str) -> str:
    """`text` without user names and passwords in web addresses, and without passwords in any address."""
    return _PASSWORD.sub(r"\1:…@", _WEB_USER.sub(r"\1…@", text))


def explain(what: str, stderr: str) -> ModelkeepError:
    """The error for git's `stderr`. `what` completes "Git could not …" where the reason is not known."""
    detail = _facts(stderr)
    return _local(stderr, detail) or _known(stderr, detail) or _unknown(what, detail)


def _facts(stderr: str) -> str:
    """What git said, with neither advice, progress nor credentials, safe to show."""
    lines = [line.rpartition("\r")[2] for line in stderr.splitlines()]
    kept = [line for line in lines if line.strip() and not line.startswith("hint:")]
    return "\n".join(visible(line) for line in redact("\n".join(kept)).split("\n"))


def _local(stderr: str, detail: str) -> ModelkeepError | None:
    if lock := _LOCK.search(stderr):
        return Busy(
            "Another Git program is at work in this repository.",
            detail=detail,
            hint=f"Try again when it has ended. If none is running, remove {visible(lock['file'])}",
        )
    if dubious := _DUBIOUS.search(stderr):
        fix = f"git config --global --add safe.directory {shlex.quote(dubious['path'])}"
        return GitCommandFailed(
            "The repository belongs to another user, so Git does not open it.",
            cause="dubious ownership",
            detail=detail,
            hint=f"If you trust its owner, run: {fix}",
        )
    if found := list(_OVERWRITE.finditer(stderr)):
        text = "\n".join(one["paths"] or one["changed"] or one["folders"] for one in found)
        paths = [line.strip("\t") for line in text.splitlines() if line.strip()]
        return UnsavedChanges(
            f"{len(paths)} files hold changes that would be lost: {', '.join(map(visible, paths[:5]))}",
            paths=paths,
            hint="Commit them or move them away first.",
        )
    return None


def _known(stderr: str, detail: str) -> ModelkeepError | None:
    for cause, said, title, hint in _KNOWN:
        if re.search(said, stderr):
            return GitCommandFailed(title, cause=cause, detail=detail, hint=hint)
    if _LOST.search(stderr):
        return ConnectionLost(
            "The Git server cannot be reached.", detail=detail, hint="Check the network and the address."
        )
    return None


def _unknown(what: str, detail: str) -> ModelkeepError:
    return GitCommandFailed(f"Git could not {what}.", detail=detail)
