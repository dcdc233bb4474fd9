"""Finds what a repository's own configuration would start. Starts nothing of it; knows no trust dialog.

`git config --list` reads files and runs nothing. Settings that the user has in their own configuration, with
the same value, are the user's wish and not listed (safety rule 5.3).
"""

from __future__ import annotations

import os
from pathlib import Path

from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.patterns import pattern

_STARTS = pattern(
    r"""(?isx)
    filter\..*\.(clean|smudge|process) | merge\..*\.driver
    | diff\.(.*\.)?(command|textconv) | diff\.external
    | core\.(fsmonitor|sshcommand|gitproxy|hookspath|askpass|pager|editor|alternaterefscommand)
    | sequence\.editor | gpg\.(.*\.)?program | gpg\.ssh\.defaultkeycommand
    | credential\.(.*\.)?helper
    | remote\..*\.(uploadpack|receivepack|vcs|promisor|partialclonefilter) | extensions\.partialclone
    | uploadpack\.packobjectshook | gc\.recentobjectshook
    | include\.path | includeif\..*\.path
    | trailer\..*\.(cmd|command) | interactive\.difffilter | pager\..*
    | protocol\.(.*\.)?allow
    | (merge|diff)tool\..*\.cmd | lfs\.(customtransfer|extension)\..* | lfs\.standalonetransferagent
    | http\.(.*\.)?(cookiefile|savecookies|sslverify|sslcainfo|sslcapath|proxy) | remote\..*\.proxy
    """
)
#: These start nothing, but let a server write a file of the repository's choice, or listen to a login.
_MISLEADS = pattern(
    r"(?is)http\.(.*\.)?(cookiefile|savecookies|sslverify|sslcainfo|sslcapath|proxy)|remote\..*\.proxy"
)
#: These run whenever git touches a file, and no switch turns them off.
_UNSTOPPABLE = pattern(
    r"(?is)filter\..*\.(clean|smudge|process)|merge\..*\.driver|core\.gitproxy"
    r"|lfs\.(customtransfer|extension)\..*|lfs\.standalonetransferagent"
)
#: What `dvc install` writes. It runs only in merges, of which Modelkeep makes none.
_DVC_DRIVER = ["dvc", "git-hook", "merge-driver", "--ancestor", "%O", "--our", "%A", "--their", "%B"]
_BOOLEAN = {"", "true", "false", "yes", "no", "on", "off", "0", "1"}
_OWN_SCOPES = ("local", "worktree")


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of git's configuration. `origin` is the file it stands in."""

    scope: str
    origin: str
    key: str
    value: str

    def __str__(self) -> str:
        return visible(f"{self.origin.removeprefix('file:')}: {self.key} = {self.value}")


def settings(program: GitProgram) -> tuple[Setting, ...]:
    """All settings git would use here, in git's order, the included files too; our own switches left out."""
    out = program.run(
        "config",
        "--list",
        "-z",
        "--show-origin",
        "--show-scope",
        "--includes",
        what="read its configuration",
    )
    fields = out.decode("utf-8", "surrogateescape").split("\0")
    found = []
    for scope, origin, line in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        if scope != "command":
            key, _, value = line.partition("\n")
            found.append(Setting(scope, origin, key, value))
    return tuple(found)


def dangerous(every: tuple[Setting, ...]) -> tuple[Setting, ...]:
    """Those of the repository that can start a program, the ones the user has anyway left out."""
    users = {(one.key, one.value) for one in every if one.scope not in _OWN_SCOPES}
    return tuple(
        one
        for one in every
        if one.scope in _OWN_SCOPES
        and _STARTS.fullmatch(one.key)
        and (one.key, one.value) not in users
        and not _is_plain(one)
    )


def unstoppable(every: tuple[Setting, ...]) -> tuple[Setting, ...]:
    """Those of `dangerous` that fire on status, commit or switch whatever switches we set."""
    if not any(one.scope in _OWN_SCOPES and _UNSTOPPABLE.fullmatch(one.key) for one in every):
        return ()
    return tuple(one for one in dangerous(every) if _UNSTOPPABLE.fullmatch(one.key))


def misleading(every: tuple[Setting, ...]) -> tuple[Setting, ...]:
    """Those of `dangerous` that must not be in force when a server is asked."""
    return tuple(one for one in dangerous(every) if _MISLEADS.fullmatch(one.key))


def _is_plain(one: Setting) -> bool:
    if one.key.startswith("http.") and one.key.endswith(".sslverify"):
        return one.value.lower() in ("", "true", "yes", "on", "1")
    if one.key == "merge.dvc.driver":
        return one.value.split() == _DVC_DRIVER
    switchlike = one.key == "core.fsmonitor" or one.key.startswith("pager.")
    return switchlike and one.value.lower() in _BOOLEAN


def hooks(common_dir: Path) -> tuple[str, ...]:
    """The hooks that lie in the repository and would run, as lines for people."""
    try:
        names = sorted(os.listdir(common_dir / "hooks"))
    except OSError:
        return ()
    return tuple(
        visible(f"{common_dir / 'hooks' / name}: hook")
        for name in names
        if not name.endswith(".sample") and os.access(common_dir / "hooks" / name, os.X_OK)
    )
