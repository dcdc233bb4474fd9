"""A remote while it is being set up: from what was pasted to what is written, which can be read before it is.

What the window's pages and `modelkeep setup` share. A secret is never part of what is written or shown. Knows no
screens and connects to nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from modelkeep.core.credentials.vault import SERVICE
from modelkeep.core.engine.configuration import change_config, file_name, level_folders
from modelkeep.core.errors import ModelkeepError, UsageError
from modelkeep.core.formats import pasted
from modelkeep.core.formats.config import edit_config
from modelkeep.core.formats.config_keys import SECRET_KEYS
from modelkeep.core.formats.remoteurl import check_place, split_password, url_problem
from modelkeep.core.keyfile import look_at
from modelkeep.core.nouns import dataclass, field, replace
from modelkeep.core.project import Project
from modelkeep.core.redaction import SHORTEST
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.registry import login_address
from modelkeep.core.values import Change, Changes, Secret
from modelkeep.core.workflows.addresses import own_word
from modelkeep.core.workflows.remote_steps import Step

LOGINS = ("auto", "key", "password", "questions")
_DOTS = "••••••••"
_SECRET_LINE = re.compile(
    rf"""^([ \t#;]*['"]?(?:{"|".join(sorted(SECRET_KEYS))})['"]?[ \t]*=[ \t]*).*$""",
    re.MULTILINE | re.IGNORECASE,
)
_SECRET_URL = re.compile(r"(://[^/@\s:]*:)[^/\s]*(@)")
_Settings = dict[tuple[str, str], str | None]


@dataclass(frozen=True, slots=True)
class KindInfo:
    """A kind of storage to choose from; those not supported yet are listed with what they need,
    and plain dvc can use them."""

    key: str
    title: str
    sentence: str
    is_supported: bool = False


KINDS: tuple[KindInfo, ...] = (
    KindInfo("ssh", "Server by SSH", "A folder on a server that lets you in by SSH or SFTP.", True),
    KindInfo("local", "Shared folder", "A folder that is mounted on everybody's computer, or a disk.", True),
    KindInfo("s3", "Amazon S3 and compatible", "Needs a bucket and its keys."),
    KindInfo("gs", "Google Cloud Storage", "Needs a bucket and a login."),
    KindInfo("azure", "Azure Blob Storage", "Needs a container and its key."),
    KindInfo("webdav", "WebDAV", "Needs the address and a login."),
    KindInfo("http", "HTTP", "Needs the address."),
    KindInfo("gdrive", "Google Drive", "Needs a login in the browser."),
    KindInfo("hdfs", "HDFS", "Needs the cluster's address."),
    KindInfo("oss", "Alibaba OSS", "Needs a bucket and its keys."),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A remote as it will be. `login` is one of LOGINS; a `keyfile` goes to config.local only.

    `secret` is a password that stood in the pasted text and `note` says so: it is never written, but may be
    offered to the login (`offer`).
    """

    name: str
    url: str
    kind: str
    login: str = "auto"
    keyfile: str = ""
    default: bool = True
    level: str = "repo"
    note: str = ""
    secret: Secret | None = field(default=None, repr=False)

    def spec(self) -> RemoteSpec:
        """How its store is reached, for a test before it is written. Raises UsageError, UnsafePath."""
        if self.kind == "local":
            path = Path(os.path.normpath(os.path.expanduser(self.url)))
            check_place(Path(os.path.realpath(path)))
            return RemoteSpec("local", path=str(path))
        options = {"keyfile": os.path.expanduser(self.keyfile)} if self.keyfile else {}
        if self.login == "password":
            options = {"keys": "none"}  # else a key that fits would leave the password untried
        elif self.login == "key":
            options["keys"] = "only"
        return RemoteSpec.parse(self.url, options)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One config file: its whole text before and after, with secrets as dots."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Value:
    """One setting of a remote in force, the level whose file makes it, and that file."""

    key: str
    value: str
    level: str
    file: str


# -- from text to draft --------------------------------------------------------------------------------


def understand(text: str) -> Draft:
    """Read what somebody pasted: an address, a `dvc remote add …` line, a folder. Raises UsageError with the fix.

    The name is "" where the text gives none: see `free_name`.
    """
    found = pasted.understand(text)
    note = ""
    if found.secret is not None:
        note = "The password in it was taken out; it is kept in the keyring once the server has accepted it."
    return Draft(
        found.name.lower(),
        found.url,
        found.kind,
        login="password" if found.secret is not None else "key" if found.keyfile else "auto",
        keyfile=found.keyfile,
        level=found.level or "repo",
        note=note,
        secret=found.secret,
    )


def free_name(project: Project) -> str:
    """A name for a new remote that none has yet."""
    taken = {one.name for one in project.config.remotes()}
    return next(
        name
        for count in range(1, len(taken) + 2)
        if (name := f"storage{count if count > 1 else ''}") not in taken
    )


def known_as(project: Project, draft: Draft) -> str:
    """The name that a remote with this very address has already, or ""."""
    for one in project.config.remotes():
        with suppress(ModelkeepError):  # another remote that leads where no data belongs is not in the way
            if draft_of(project, one.name).url == draft.url:
                return one.name
    return ""


def draft_of(project: Project, name: str) -> Draft:
    """The remote `name` of the config as a draft, for editing. Raises NoRemote."""
    remote = project.remote_config(name)
    url = remote.url
    if remote.kind == "local" and not remote.problem:
        url = str(remote.local_path(level_folders(project.root)[remote.level]))
    elif remote.kind == "ssh" and not remote.problem:
        user, host, port, path = remote.ssh_address  # with the keys `user` and `port`, which win over the URL
        host = f"[{host}]" if ":" in host else host
        url = pasted.Pasted("ssh", path, host=host, user=user or "", port=port).url
    asks = remote.options.get("ask_password", "").lower() == "true"
    keyfile = remote.options.get("keyfile", "")
    login = "key" if keyfile else "password" if asks else "auto"
    is_default = project.config.default_remote == remote.name
    return Draft(remote.name, url, remote.kind, login, keyfile, is_default, remote.level)


def known_hosts_of_config() -> tuple[str, ...]:
    """The servers that the user's own ~/.ssh/config names, without patterns."""
    from modelkeep.core.stores import ssh_config

    return ssh_config.hosts()


def as_tested(draft: Draft, steps: Iterable[Step]) -> Draft:
    """The draft with the way to log in that a test found, where it was left open."""
    found = next((step.detail for step in steps if step.key == "login"), "")
    if draft.login == "auto" and found in ("password", "questions"):
        return replace(draft, login=found)
    return draft


# -- secrets -------------------------------------------------------------------------------------------


def keyring_entry(project: Project, draft: Draft) -> str:
    """The name of the keyring's entry for this login, never its value; "" where no password is used."""
    if draft.kind != "ssh" or draft.login not in ("password", "questions"):
        return ""
    return f"{SERVICE} / {login_address(draft.spec())}"


def kept_where(project: Project, draft: Draft) -> str:
    """Where the password of this login is kept, or why it is not, in a sentence; "" where there is none.

    Asks the keyring, which may take a while.
    """
    entry = keyring_entry(project, draft)
    if not entry:
        return ""
    problem = project.credentials.keyring_problem
    if problem:
        return f"The password could not be kept, so it will be asked for again: {problem}"
    where = project.vault.describe()
    if not project.vault.is_persistent:
        return f"{where} A key would save you from typing it each time."
    return f"The password is kept in {where}, as “{entry}”."


def offer(project: Project, draft: Draft, secret: Secret | None = None) -> None:
    """Let the next login use this password (or the pasted one); it is kept once the server has taken it."""
    given = secret or draft.secret
    address = login_address(draft.spec())
    if given is not None and address is not None:
        project.credentials.offer(address, given)


def expect_fingerprint(project: Project, fingerprint: str) -> None:
    """Trust, and remember, a server that shows exactly this key, and no other. Raises UsageError."""
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}=?", fingerprint):
        raise UsageError(f"{fingerprint} is not a SHA256 fingerprint.", hint="It looks like SHA256:uNiReFz…")
    project.credentials.expect_fingerprint(fingerprint)


def plain_dvc(draft: Draft) -> str:
    """How the plain `dvc` command gets on with this way to log in."""
    if draft.kind != "ssh":
        return "The dvc command uses the same folder; nothing else is needed."
    checks = "It does not check that it is the right server, so prefer a key where the password is valuable."
    if draft.login == "password":
        return f"The dvc command asks for the password itself, once in each run. {checks}"
    if draft.login == "questions":
        return "The dvc command can answer with a password only. Where the server asks more, it needs a key."
    if draft.keyfile:
        return "The dvc command uses the same key file on this computer, and asks for its passphrase if it has one."
    return "The dvc command uses your keys and agent, as ssh does. It asks for no password by itself."


# -- what is written -----------------------------------------------------------------------------------


def problem(project: Project, draft: Draft) -> str:
    """Why this draft cannot be saved, in one sentence; "" if it can."""
    if not pasted.NAME.fullmatch(draft.name):
        return "The remote needs a name of letters, digits, - and _."
    if draft.login not in LOGINS or draft.level not in ("repo", "local", "global"):
        return "The draft is not complete."
    return url_problem(draft.url)


def preview(project: Project, draft: Draft) -> tuple[FileChange, ...]:
    """The config files that `save` changes, literally, with secrets that stand in them as dots."""
    return tuple(
        FileChange(_shown_file(project, level), _masked(project, before), _masked(project, after))
        for level, before, after in _texts(project, draft)
    )


def save(project: Project, draft: Draft) -> Changes:
    """Write the remote, or change the one of this name. Raises UsageError for what cannot be one."""
    wrong = problem(project, draft)
    if wrong:
        raise UsageError(wrong)
    is_new = all(one.name != draft.name for one in project.config.remotes())
    files = []
    for level, settings in _settings(project, draft).items():
        change_config(project.root, level, settings)
        files.append(_shown_file(project, level))
    project.reload()
    own_word(project, draft.name)
    project.forget_listing(draft.name)
    done = "added" if is_new else "changed"
    flags = "-d " if draft.default else ""
    line = f"dvc remote add {flags}{'' if is_new else '-f '}{draft.name} {draft.url}"
    return Changes(Change.CONFIG, f"The remote {draft.name} was {done}.", tuple(files), same_as=(line,))


def values_of(project: Project, name: str) -> tuple[Value, ...]:
    """Every setting of a remote in force, without secrets, and the file that makes it."""
    remote = project.remote_config(name)
    config, section = project.config, f'remote "{remote.name}"'
    found = [Value("url", remote.url, remote.level, _shown_file(project, remote.level))]
    for key, value in remote.options.items():
        level = config.level_of(section, key) or remote.level
        found.append(Value(key, split_password(value)[0], level, _shown_file(project, level)))
    if config.default_remote == remote.name:
        level = config.level_of("core", "remote") or "repo"
        found.append(Value("core.remote", remote.name, level, _shown_file(project, level)))
    return tuple(found)


def _settings(project: Project, draft: Draft) -> dict[str, _Settings]:
    """What to set and unset, by level. Only what differs from now is among it."""
    section, level = f'remote "{draft.name}"', draft.level
    known = {one.name: one for one in project.config.remotes()}.get(draft.name)
    shared: _Settings = {}
    if known is None or known.level != level or draft_of(project, draft.name).url != draft.url:
        shared[(section, "url")] = draft.url
    if known is None or "verify" not in known.options:
        shared[(section, "verify")] = "true"
    if draft.default and project.config.default_remote != draft.name:
        shared[("core", "remote")] = draft.name
    own: _Settings = {}
    if draft.kind == "ssh":
        wanted = _login_settings(draft)
        now = known.options if known is not None else {}
        for key, value in wanted.items():
            if value != now.get(key) and (value is not None or _level_of(project, section, key) == "local"):
                own[(section, key)] = value
    if (section, "url") in shared and known is not None:  # what the new address says must not be overruled
        for key in ("user", "port"):
            where = _level_of(project, section, key)
            if where in ("repo", "local"):
                (shared if where == level else own)[(section, key)] = None
    if level == "local":
        shared, own = {**shared, **own}, {}
    return {name: found for name, found in ((level, shared), ("local", own)) if found}


def _login_settings(draft: Draft) -> dict[str, str | None]:
    """For the plain dvc command and for us: what belongs to this person on this computer."""
    asks = "true" if draft.login in ("password", "questions") else None
    keyfile = draft.keyfile if draft.login in ("key", "auto") and draft.keyfile else None
    return {"ask_password": asks, "keyfile": keyfile, "ask_passphrase": _asks_passphrase(keyfile)}


def _asks_passphrase(keyfile: str | None) -> str | None:
    key = look_at(keyfile) if keyfile else None
    return "true" if key is not None and key.is_locked else None


def _level_of(project: Project, section: str, key: str) -> str | None:
    return project.config.level_of(section, key)


def _texts(project: Project, draft: Draft) -> Iterable[tuple[str, str, str]]:
    for level, settings in _settings(project, draft).items():
        path = level_folders(project.root)[level] / file_name(level)
        before = path.read_bytes() if path.exists() else b""
        yield level, before.decode("utf-8", "replace"), _edited(before, str(path), settings)


def _edited(before: bytes, path: str, settings: Mapping[tuple[str, str], str | None]) -> str:
    return edit_config(before, path, settings).decode("utf-8", "replace")


def _masked(project: Project, text: str) -> str:
    """A config's text with dots for every secret: those the config knows, and whatever stands like one."""
    for remote in project.config.remotes():
        for _, _, secret in remote.held:
            if len(secret.reveal()) >= SHORTEST:
                text = text.replace(secret.reveal(), _DOTS)
    return _SECRET_URL.sub(rf"\g<1>{_DOTS}\g<2>", _SECRET_LINE.sub(rf"\g<1>{_DOTS}", text))


def _shown_file(project: Project, level: str) -> str:
    if level in ("repo", "local"):
        return f".dvc/{file_name(level)}"
    return str(level_folders(project.root)[level] / file_name(level))
