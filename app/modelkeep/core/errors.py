"""Every error Modelkeep raises: what happened, where, and what to do about it. Knows nothing else.

A foreign exception (paramiko's, GitPython's, the operating system's) is turned into one of these where it
enters. The command line and the window show `title`, `detail` and `hint` and never build sentences of
their own. No error ever carries a secret.
"""

from __future__ import annotations

from collections.abc import Iterable


class ModelkeepError(Exception):
    """Something failed. `title` is one sentence, `detail` the facts, `hint` the next step for the user.

    `reason` is one word for programs that have to tell failures apart, "" where nobody does.
    """

    #: True when trying the same thing again may succeed (a broken connection, a busy lock).
    retryable = False

    def __init__(
        self, title: str, *, detail: str = "", hint: str = "", paths: Iterable[str] = (), reason: str = ""
    ) -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.hint = hint
        self.paths = tuple(paths)
        self.reason = reason

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.detail, self.hint) if part)


class UsageError(ModelkeepError):
    """The request itself makes no sense: an unknown name, two options that exclude each other."""


class Unsupported(ModelkeepError):
    """Understood, but not done by this version of Modelkeep."""


# -- input that is wrong -------------------------------------------------------------------------------


class InvalidFile(ModelkeepError):
    """A metafile, manifest or config breaks its format. Names the file, the entry in it, and the fix."""

    def __init__(self, file: str, reason: str, *, entry: str = "", hint: str = "") -> None:
        place = f"{file}: {entry}" if entry else file
        super().__init__(f"{place}: {reason}", hint=hint, paths=(file,))
        self.file = file
        self.entry = entry
        self.reason = reason


class UnsafePath(ModelkeepError):
    """A path or hash from a repository or server would lead outside the place it belongs to."""


# -- data protection: exit code 3 on the command line --------------------------------------------------


class Refused(ModelkeepError):
    """Not done, because something could be lost or is not proven safe."""


class UnsavedChanges(Refused):
    """These workspace files hold content that exists nowhere else. `paths` lists them."""


class CorruptObject(Refused):
    """The bytes of an object do not match its name. It is never used or passed on."""

    def __init__(self, name: str, where: str, *, actual: str = "", hint: str = "") -> None:
        found = f"its content hashes to {actual}" if actual else "its content does not match its name"
        super().__init__(f"Object {name} in {where} is damaged: {found}.", hint=hint, paths=(name,))
        self.name = name
        self.where = where


class MissingObjects(Refused):
    """Objects that a version names are nowhere to be found. `paths` lists what they belong to."""


# -- the world outside ---------------------------------------------------------------------------------


class NotFound(ModelkeepError):
    """A file, key, version or remote with this name does not exist."""


class NotAProject(NotFound):
    """The folder is not inside a Git + DVC project."""


class NoRemote(ModelkeepError):
    """There is no storage to push to or fetch from."""


class Busy(ModelkeepError):
    """Another program works on the same project. `detail` says which."""

    retryable = True


class ConnectionLost(ModelkeepError):
    """The link to a server broke or went silent. What was finished is kept."""

    retryable = True


class StoreFailed(ModelkeepError):
    """Storage refused: no permission, no space, a folder that is not there."""


class GitFailed(ModelkeepError):
    """A git command failed; `detail` is what git said, without credentials."""


# -- secrets and host keys -----------------------------------------------------------------------------


class LoginNeeded(ModelkeepError):
    """A server wants a password and nobody could be asked. `address` is user@host:port."""

    def __init__(self, address: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(f"{address} needs a login.", detail=detail, hint=hint)
        self.address = address


class LoginFailed(ModelkeepError):
    """The server did not accept the login."""


class UnknownHost(ModelkeepError):
    """The server's key has never been seen; nothing was sent to it."""

    def __init__(self, host: str, key_type: str, fingerprint: str, *, hint: str = "") -> None:
        super().__init__(
            f"The identity of {host} is not known yet.",
            detail=f"It presents the {key_type} key {fingerprint}",
            hint=hint or "Compare the fingerprint with the one its administrator gives you, then trust it.",
            reason="host_unknown",
        )
        self.host = host
        self.key_type = key_type
        self.fingerprint = fingerprint


class AddressChanged(Refused):
    """A remote of the project leads to another place than when it was last used; nothing was sent there."""

    def __init__(self, remote: str, old: str, new: str) -> None:
        import shlex  # here, because most runs never need it

        super().__init__(
            f"This project now stores its data at {new} instead of {old}.",
            detail=f"The address of the remote {remote} was changed by a commit, another branch or an edit.",
            hint=f"If that is right: modelkeep remote trust {shlex.quote(remote)} --address {shlex.quote(new)}",
        )
        self.remote = remote
        self.old = old
        self.new = new


class HostKeyChanged(Refused):
    """The server's key is not the one known for it. There is no way round inside a connection.

    `host` is the server's name in known_hosts, `presented` the (type, fingerprint) it shows now, `known` the
    (type, fingerprint, FILE:LINE) of each key that stands there. `files` are the user's own known_hosts for it.
    """

    host = ""
    files: tuple[str, ...] = ()
    presented: tuple[str, str] = ("", "")
    known: tuple[tuple[str, str, str], ...] = ()


class KeyringUnavailable(ModelkeepError):
    """The operating system's keyring is missing, locked, or did not answer."""
