"""Start, clone and connect a project: `init`, `clone`, remotes, logins, host keys, trust.

Everything written is a file DVC reads too. A secret goes into the vault and nowhere else. Knows nothing of
screens; what has to be asked is asked through the project's Questions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from modelkeep.core.credentials import NO_QUESTIONS, Questions, Vault
from modelkeep.core.durable import write_file
from modelkeep.core.engine.configuration import change_config, read_levels
from modelkeep.core.engine.history import History
from modelkeep.core.errors import (
    LoginFailed,
    LoginNeeded,
    Refused,
    Unsupported,
    UsageError,
)
from modelkeep.core.paths import Tree
from modelkeep.core.patterns import pattern
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Change, Changes, Secret
from modelkeep.core.workflows.addresses import is_right, own_word

_DVCIGNORE = b"""# Add patterns of files dvc should ignore, which could improve
# the performance. Learn more at
# https://dvc.org/doc/user-guide/dvcignore
"""
_GITIGNORE = b"/config.local\n/tmp\n/cache\n"
_NAME = pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


# -- projects ------------------------------------------------------------------------------------------


def init(
    folder: Path | str, *, subdir: bool = False, no_scm: bool = False, progress: Progress = SILENT
) -> Path:
    """Make `folder` a project, as `dvc init` does; creates the Git repository too where there is none.

    Returns its root. Raises Refused if it is one already, UsageError inside another repository without
    `subdir`.
    """
    root = Path(folder).absolute()
    root.mkdir(parents=True, exist_ok=True)
    progress.check()
    if (root / ".dvc").exists():
        raise Refused(f"{root} is a project already.", hint=f"Open it: modelkeep {root}")
    above = _git_root(root)
    if not no_scm and above is None:
        History.init(root)
        above = root
    if not no_scm and above != root and not subdir:
        raise UsageError(
            f"{root} lies inside the Git repository {above}.",
            hint="Run init at its top, or add --subdir to start a project in this folder.",
        )
    tree = Tree(root, system=True)
    write_file(tree, ".dvc/.gitignore", _GITIGNORE)
    write_file(tree, ".dvc/config", b"[core]\n    no_scm = True\n" if no_scm else b"")
    write_file(tree, ".dvc/tmp/btime", b"")
    if not (root / ".dvcignore").exists():
        write_file(tree, ".dvcignore", _DVCIGNORE)
    if not no_scm:
        History.open(root).stage([".dvc/.gitignore", ".dvc/config", ".dvcignore"])
    return root


def _git_root(folder: Path) -> Path | None:
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists():
            return parent
    return None


def clone(
    url: str,
    folder: Path | str,
    *,
    questions: Questions = NO_QUESTIONS,
    vault: Vault | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Clone a Git repository; its data is not fetched yet. Returns the folder of the project in it, or of
    the clone when it tracks no data yet. On failure or cancel nothing is left behind."""
    target = Path(folder).absolute()
    if target.exists() and any(target.iterdir()):
        raise Refused(f"The folder {target} is not empty.", hint="Choose a new or empty folder.")
    from modelkeep.core.credentials import Credentials, open_vault

    credentials = Credentials(vault or open_vault(), questions, lambda _address: None)
    History.clone(url, target, ask=credentials.git_prompt, progress=progress.child("Cloning"))
    return target


# -- remotes -------------------------------------------------------------------------------------------


def add_remote(
    project: Project,
    name: str,
    url: str,
    *,
    default: bool = False,
    level: str = "repo",
    options: Mapping[str, str] | None = None,
    force: bool = False,
) -> Changes:
    """Add a remote as `dvc remote add` does, with `verify = true` for colleagues on plain DVC.

    A relative folder is meant from the project's root. Raises UsageError for a name or address that cannot
    be one; passwords in the address are refused.
    """
    name = name.lower()
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"“{name[:60]}” cannot be the name of a remote.", hint="Use letters, digits, - and _."
        )
    if any(one.name == name for one in project.config.remotes()) and not force:
        raise UsageError(f"There is a remote called {name} already.", hint="Add --force to replace it.")
    stored = _stored_url(project, url)
    section = f'remote "{name}"'
    changes: dict[tuple[str, str], str | None] = {(section, "url"): stored, (section, "verify"): "true"}
    for key, value in (options or {}).items():
        _refuse_secret(key)
        changes[(section, key)] = value
    if default:
        changes[("core", "remote")] = name
    change_config(project.root, level, changes)
    project.reload()
    own_word(project, name)
    lines = [f"dvc remote add {'-d ' if default else ''}{name} {stored}"]
    return Changes(Change.CONFIG, f"The remote {name} was added.", (_file(level),), same_as=tuple(lines))


def _stored_url(project: Project, url: str) -> str:
    url = url.strip()
    scp = re.fullmatch(r"([^/@:\s]+@)?([^/:\s]{2,}):(/.*)", url)
    if scp and "://" not in url:
        raise UsageError(
            f"{url} is written the way scp does.",
            hint=f"Write it as ssh://{scp[1] or ''}{scp[2]}{scp[3]}",
        )
    if url.lower().startswith("file:"):
        raise UsageError(f"{url}: DVC does not read file: addresses.", hint="Give the folder's path itself.")
    if not url or any(ord(char) < 32 for char in url):
        raise UsageError("The address of the remote is empty or has control characters in it.")
    if "://" in url:
        if re.match(r"[a-z0-9+]+://[^/@]*:[^/@]+@", url, re.IGNORECASE):
            raise UsageError(
                "A password does not belong in the address of a remote.",
                hint="Leave it out and run: modelkeep login",
            )
        return url
    if url.startswith("~") or Path(url).is_absolute():
        return url
    # DVC keeps relative folders relative to the config file, which lies one folder down.
    return f"../{Path(url).as_posix()}"


def relative_to_project(project: Project, folder: Path, text: str) -> str:
    """A relative folder as typed in `folder`, seen from the project's root."""
    return Path(os.path.relpath(os.path.join(os.path.abspath(folder), text), project.root)).as_posix()


def _refuse_secret(key: str) -> None:
    if key in ("password", "passphrase", "secret_access_key", "session_token", "account_key", "token"):
        raise UsageError(
            f"{key} is a secret and is never written into a config file.", hint="Use: modelkeep login NAME"
        )


def _file(level: str) -> str:
    return {"repo": ".dvc/config", "local": ".dvc/config.local"}.get(level, f"{level} config")


def modify_remote(
    project: Project, name: str, key: str, value: str | None, *, level: str | None = None
) -> Changes:
    """Set a key of a remote, or remove it with None, at the level where the remote is defined."""
    remote = project.remote_config(name)
    if value is not None:
        _refuse_secret(key)
    if key == "url" and value is not None:
        value = _stored_url(project, value)
    was_right = key == "url" or is_right(project, remote.name)
    change_config(project.root, level or remote.level, {(f'remote "{remote.name}"', key): value})
    project.reload()
    if was_right:
        own_word(project, remote.name)
    project.forget_listing(remote.name)
    return Changes(Change.CONFIG, f"{key} of {remote.name} was {'removed' if value is None else 'set'}.")


def remove_remote(project: Project, name: str, *, level: str | None = None) -> Changes:
    """Remove a remote from the config; what is stored there is not touched."""
    remote = project.remote_config(name)
    level = level or remote.level
    section = f'remote "{remote.name}"'
    changes: dict[tuple[str, str], str | None] = {
        (section, key): None for key in read_levels(project.root).get(level, {}).get(section, {})
    }
    if project.config.default_remote == remote.name:
        changes[("core", "remote")] = None
    change_config(project.root, level, changes)
    project.reload()
    return Changes(Change.CONFIG, f"The remote {remote.name} was removed; its content is untouched.")


def set_default_remote(project: Project, name: str | None, *, level: str = "repo") -> Changes:
    """Choose the remote that is used when none is named; None unsets it."""
    chosen = project.remote_config(name).name if name is not None else None
    was_right = chosen is None or is_right(project, chosen)
    change_config(project.root, level, {("core", "remote"): chosen})
    project.reload()
    if chosen is not None and was_right:
        own_word(project, chosen)
    return Changes(
        Change.CONFIG, f"The default remote is {chosen}." if chosen else "No remote is the default."
    )


# -- logins --------------------------------------------------------------------------------------------


def test_remote(project: Project, name: str | None = None, progress: Progress = SILENT) -> str:
    """Connect, log in and look at the folder of a remote; returns a sentence about it. Raises what fails."""
    with project.using_remote(name) as remote, progress.interrupting(remote.store.close):
        remote.store.prepare()
        return remote.store.describe()


def login(
    project: Project, name: str | None = None, password: Secret | None = None, progress: Progress = SILENT
) -> Changes:
    """Log in to a remote once, and keep the password in the vault after the server took it.

    Without `password` it is asked through the project's Questions. A wrong one is never stored.
    """
    remote = project.remote_config(name)
    address = project.address(remote.name)
    if address is None:
        raise Unsupported(
            f"The remote {remote.name} is a folder; it needs no login.", hint="Nothing has to be done."
        )
    if password is None:
        project.credentials.ask_anew(address)
    else:
        project.credentials.offer(address, password)
    said = test_remote(project, remote.name, progress)
    where = project.vault.describe()
    return Changes(
        Change.CONFIG,
        f"Logged in to {address}.",
        notes=(said, f"The password is kept in {where}." if project.vault.is_persistent else where),
    )


def forget_login(project: Project, name: str | None = None) -> Changes:
    """Remove the stored password of a remote from the vault."""
    address = project.address(name)
    if address is not None:
        project.vault.forget(address)
        project.credentials.forget(address)
    return Changes(Change.CONFIG, f"The password for {address} is forgotten.")


def trust_host(project: Project, name: str | None, fingerprint: str, progress: Progress = SILENT) -> Changes:
    """Connect to a remote whose host key has exactly this SHA256 fingerprint, and remember the key."""
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}=?", fingerprint):
        raise UsageError(f"{fingerprint} is not a SHA256 fingerprint.", hint="It looks like SHA256:uNiReFz…")
    project.credentials.expect_fingerprint(fingerprint.rstrip("="))
    try:
        said = test_remote(project, name, progress)
    except (LoginNeeded, LoginFailed) as error:  # the key was remembered before anything was asked
        said = f"{error.title} Log in once: modelkeep login {project.remote_config(name).name}"
    return Changes(Change.CONFIG, "The host key is known now.", notes=(said,))


def trust_project(project: Project, trusted: bool = True) -> None:
    """Allow (or no longer allow) the programs that this repository's own settings and hooks start."""
    project.settings.set_trusted(project.root, trusted)
    if project.history is not None:
        project.history.trusted = trusted
