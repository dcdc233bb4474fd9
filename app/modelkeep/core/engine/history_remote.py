"""Talks to Git remotes: fetch, push, ls-remote, clone. Names and addresses are checked before git sees them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from modelkeep.core.engine.history_errors import GitCommandFailed, explain, redact
from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.engine.history_trust import Setting, dangerous, hooks, misleading, settings
from modelkeep.core.errors import NotFound, Refused, UsageError
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.patterns import pattern
from modelkeep.core.progress import Progress

_SCHEMES = ("ssh", "git+ssh", "ssh+git", "https", "http", "file")
_REF = pattern(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")
_ID = pattern(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """What a push did to one ref of the remote. `flag` is git's: " ", "+", "-", "*", "=" or "!"."""

    flag: str
    source: str
    target: str
    summary: str

    @property
    def refused(self) -> bool:
        """Whether the remote still has what it had."""
        return self.flag == "!"


def check_url(url: str) -> str:
    """Return `url` if git may be given it as an address to clone from, else raise Refused."""
    shown = visible(redact(url))
    scheme, has_scheme, rest = url.partition("://")
    host = (rest if has_scheme else url).rpartition("@")[2] if not url.startswith(("/", ".")) else ""
    if not url or url.startswith("-") or host.startswith("-") or visible(url) != url:
        raise Refused(f"{shown or 'An empty text'} is not an address of a Git repository.")
    if re.match(r"[A-Za-z0-9+.-]+::", url) or (has_scheme and scheme.lower() not in _SCHEMES):
        raise Refused(
            f"Addresses like {shown} are not allowed, because they start programs or have no protection.",
            hint="Use an https or ssh address, or a folder.",
        )
    if has_scheme and re.match(r"[^/@]*:[^/@]*@", rest):
        raise Refused(
            "The address contains a password.", hint="Leave it out; Modelkeep asks for it and keeps it safe."
        )
    return url


def remotes(every: Sequence[Setting]) -> dict[str, str]:
    """The Git remotes by name, with their address; credentials in it are hidden."""
    found: dict[str, str] = {}
    for one in every:
        if one.key.startswith("remote.") and one.key.endswith(".url"):
            found.setdefault(one.key[len("remote.") : -len(".url")], redact(one.value))
    return found


class Remotes:
    """The remotes of the repository that `program` runs in."""

    def __init__(self, program: GitProgram) -> None:
        self._program = program

    def fetch(self, remote: str, progress: Progress) -> None:
        """Fetch the branches of `remote` and the tags on them."""
        switches = self._prepare(remote)
        options = ("--progress", "--no-recurse-submodules", *self._server("--upload-pack", "git-upload-pack"))
        self._program.network(
            "fetch",
            *options,
            "--",
            remote,
            what=f"fetch from {remote}",
            switches=switches,
            progress=progress,
        )

    def push(self, remote: str, refspecs: Sequence[str], progress: Progress) -> tuple[RefUpdate, ...]:
        """Push `refspecs` (full names or ids, `source:refs/…`), all or none; raises what was refused."""
        for spec in refspecs:
            _check_refspec(spec)
        switches = self._prepare(remote)
        self._check_folder(remote)
        options = ("--atomic", "--porcelain", "--progress", "--no-recurse-submodules", "--no-signed")
        done = self._program.network(
            "push",
            *options,
            *self._server("--receive-pack", "git-receive-pack"),
            "--",
            remote,
            *refspecs,
            what=f"push to {remote}",
            switches=switches,
            ok=range(256),
            progress=progress,
        )
        updates = parse_push(done.out)
        if done.status:
            raise _push_refused(remote, updates, done.err, progress)
        return updates

    def refs(self, remote: str, names: Sequence[str], progress: Progress) -> dict[str, str]:
        """Those of the full ref `names` that `remote` has now, with their ids; all for no names. Asks the server."""
        for name in names:
            if not _REF.fullmatch(name):
                raise UsageError(f"{visible(name)} is not a full ref name.")
        switches = self._prepare(remote)
        done = self._program.network(
            "ls-remote",
            *self._server("--upload-pack", "git-upload-pack"),
            "--",
            remote,
            *names,
            what=f"ask {remote}",
            switches=switches,
            progress=progress,
        )
        found: dict[str, str] = {}
        for line in done.out.decode("utf-8", "surrogateescape").splitlines():
            commit, _, name = line.partition("\t")
            if name in names or not names:
                found[name] = commit
        return found

    def _prepare(self, remote: str) -> tuple[str, ...]:
        """Check `remote` and its address; return the switches that keep the user's own programs in place."""
        every = settings(self._program)
        if remote.startswith("-") or remote not in remotes(every):
            raise NotFound(f"There is no Git remote named {visible(remote)}.")
        address = self._address(remote)
        if re.match(r"git://|[A-Za-z0-9+.-]+::", address):
            raise Refused(
                f"The Git remote {remote} has an address that is not allowed: {visible(redact(address))}",
                hint="Change it to an https or ssh address.",
            )
        if self._program.trusted:
            return ()
        if lines := misleading(every):
            raise Refused(
                f"This repository's own settings decide how {visible(remote)} is reached, which waits for your word.",
                detail="\n".join(str(one) for one in lines),
                hint="If you trust where it comes from: modelkeep open --trust",
            )
        return own_programs(every)

    def _address(self, remote: str) -> str:
        out = self._program.run("ls-remote", "--get-url", "--", remote, what="read the address")
        return out.decode("utf-8", "surrogateescape").removesuffix("\n")

    def refusal(self, remote: str) -> Refused | None:
        """Why nothing would be pushed to `remote`, known without contacting it."""
        try:
            self._prepare(remote)
            self._check_folder(remote)
        except Refused as error:
            return error
        return None

    def _check_folder(self, remote: str) -> None:
        """Refuse a folder whose own hooks and settings would start programs here, where we are not trusted to.

        A push into a folder runs the other side on this machine, and our switches do not reach it.
        """
        folder = self._program.folder / self._address(remote).removeprefix("file://")
        if self._program.trusted or not folder.is_dir():
            return
        there = folder / ".git" if (folder / ".git").is_dir() else folder
        lines = [*hooks(there), *map(str, dangerous(settings(GitProgram(folder))))]
        if lines:
            raise Refused(
                f"The Git remote {visible(remote)} is a folder that starts programs when it is pushed to.",
                detail="\n".join(lines),
                hint="If you trust where it comes from: modelkeep open --trust",
            )

    def _server(self, option: str, program: str) -> tuple[str, ...]:
        return () if self._program.trusted else (f"{option}={program}",)


def own_programs(every: Sequence[Setting]) -> tuple[str, ...]:
    """Switches by which git uses the ssh and the credential helpers of the user, never the repository's."""
    mine = [one for one in every if one.scope not in ("local", "worktree")]
    ssh = next((one.value for one in reversed(mine) if one.key == "core.sshcommand"), "ssh")
    switches = [f"core.sshCommand={ssh}", "credential.helper="]
    for one in mine:
        if one.key.startswith("credential.") and one.key.endswith("helper"):
            switches.append(f"{one.key}={one.value}")
    return tuple(switches)


def clone(program: GitProgram, url: str, folder: Path, progress: Progress) -> None:
    """Clone `url` into the new or empty `folder`; nothing of its content is run."""
    check_url(url)
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty.", hint="Choose a new folder to clone into.")
    program.network(
        "clone",
        "--progress",
        "--no-local",
        "--no-recurse-submodules",
        "--upload-pack=git-upload-pack",
        "--",
        url,
        str(folder.absolute()),
        what=f"clone {visible(redact(url))}",
        switches=own_programs(settings(program)),
        progress=progress,
    )


def parse_push(out: bytes) -> tuple[RefUpdate, ...]:
    """What `git push --porcelain` says about each ref."""
    updates = []
    for line in out.decode("utf-8", "surrogateescape").splitlines():
        fields = line.split("\t")
        if len(fields) == 3 and len(fields[0]) == 1:
            source, _, target = fields[1].partition(":")
            updates.append(RefUpdate(fields[0], source, target, fields[2]))
    return tuple(updates)


def _push_refused(remote: str, updates: Sequence[RefUpdate], stderr: str, progress: Progress) -> Exception:
    progress.check()
    # "atomic push failed" only says that another ref of the same push was refused: name that one.
    refused = [one for one in updates if one.refused and "atomic" not in one.summary]
    lines = "\n".join(f"{one.target}: {one.summary}" for one in refused)
    if not refused:
        return explain(f"push to {remote}", stderr)
    error = explain(f"push to {remote}", lines)
    cause = getattr(error, "cause", "")
    if cause == "behind":
        names = ", ".join(visible(one.target.removeprefix("refs/heads/")) for one in refused)
        error.title = f"{remote} has commits on {names} that are not here yet; nothing was pushed."
    elif cause == "name taken":
        names = ", ".join(visible(one.target.removeprefix("refs/tags/")) for one in refused)
        error.title = f"{remote} has another {names} already; nothing was pushed."
    if isinstance(error, GitCommandFailed):
        error.detail = f"{lines}\n{explain('', stderr).detail}".strip()
    return error


def _check_refspec(spec: str) -> None:
    source, _, target = spec.partition(":")
    if not (_REF.fullmatch(source) or _ID.fullmatch(source)) or not _REF.fullmatch(target):
        raise UsageError(f"{visible(spec)} does not name refs in full, so it is not pushed.")
