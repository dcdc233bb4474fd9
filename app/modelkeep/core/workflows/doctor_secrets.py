"""The doctor's checks about who may read and choose what: secrets, the keyring, addresses, ignored settings."""

from __future__ import annotations

from modelkeep.core.credentials import Vault, refused_backend
from modelkeep.core.engine.addresses import kept_for
from modelkeep.core.errors import KeyringUnavailable, ModelkeepError
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.workflows.doctor import Check, Checks, Examine, State
from modelkeep.core.workflows.secrets_scan import LOCAL, Finding, Findings, scan

_NOBODY = "nobody@modelkeep.invalid:22"  # no secret can be kept for it


def secrets(project: Project, online: bool, progress: Progress) -> Checks:
    """Secrets in config files and in the history, and whether config.local stays out of Git."""
    found = scan(project, progress=progress)
    yield from _files(found)
    yield from _history(found, project)
    if found.local_is_ignored:
        yield Check("config_local", "Your own config", State.OK, f"Git leaves {LOCAL} alone.")
    else:
        yield Check(
            "config_local",
            "Your own config",
            State.PROBLEM,
            f"Git does not ignore {LOCAL}: the next commit may publish what is in it.",
            "Add the line /config.local to .dvc/.gitignore; if Git has it already: git rm --cached .dvc/config.local",
        )


def _files(found: Findings) -> Checks:
    title = "Secrets in config files"
    if not found.in_files:
        yield Check("secrets", title, State.OK, "No config file holds a secret.")
    for one in found.in_files:
        yield Check("secrets", title, State.PROBLEM if one.in_git else State.WARNING, one.text, _advice(one))


def _advice(one: Finding) -> str:
    then = " Then change it on the server." if one.in_history else ""
    if one.movable:
        return f"Move it: modelkeep login --migrate.{then}"
    return f"Take it out of {visible(one.place)}.{then}"


def _history(found: Findings, project: Project) -> Checks:
    title = "Secrets in the Git history"
    if not found.history_searched:
        yield Check("history", title, State.OK, "This project is not kept in Git.")
        return
    old = [one for one in found.in_history if not one.level]
    if not found.in_history:
        yield Check("history", title, State.OK, "No version of a config file in Git holds a secret.")
    for one in old:
        advice = "Change it on the server."
        if one.kind in ("", "ssh"):
            advice += " Does the old one still work? modelkeep login --check-old"
        yield Check("history", title, State.PROBLEM, one.text, advice)


def keyring(project: Project, online: bool, progress: Progress) -> Checks:
    """Where passwords are kept, and whether that place answers."""
    yield _keyring(project.vault)


def _keyring(vault: Vault) -> Check:
    title = "Keyring"
    refused = refused_backend()
    why = f" ({visible(refused)} is not used: it is no keyring of the operating system.)" if refused else ""
    if not vault.is_persistent:
        return Check(
            "keyring", title, State.WARNING, f"{vault.describe()}{why}",
            "Passwords are asked again each time. Log in with a key, or set up a keyring (GNOME Keyring, KWallet).",
        )  # fmt: skip
    try:
        vault.get(_NOBODY)
    except KeyringUnavailable as error:
        return Check("keyring", title, State.PROBLEM, error.title, error.hint)
    return Check("keyring", title, State.OK, f"Passwords are kept in {vault.describe()}.{why}")


def addresses(project: Project, online: bool, progress: Progress) -> Checks:
    """Remotes that lead elsewhere than when they were last used, and those that lead nowhere."""
    title = "Addresses of the remotes"
    remotes = project.config.remotes()
    if not remotes:
        yield Check(
            "addresses", title, State.WARNING, "No remote is set up: the data is on this machine only.",
            "Add one: modelkeep setup",
        )  # fmt: skip
    for one in remotes:
        name = visible(one.name)
        try:
            change = project.changed_address(one.name)
        except ModelkeepError as error:
            yield Check("addresses", title, State.PROBLEM, f"{name}: {error.title}", error.hint)
            continue
        if change is None:
            yield _password(project, one.name) or Check(
                "addresses", title, State.OK, f"{name} leads to {visible(one.url)}."
            )
            continue
        yield Check(
            "addresses",
            title,
            State.WARNING,
            f"{name} now leads to {visible(change.new)} instead of {visible(change.old)}.",
            f"Nothing is sent there before you say so: modelkeep remote trust {name} --address",
        )


def _password(project: Project, name: str) -> Check | None:
    """A password in the user's files that is not offered, because it was made for another server."""
    address = project.address(name) or ""
    other = kept_for(project.root, project.config, name, address) if address else ""
    if not other:
        return None
    return Check(
        "addresses",
        "Addresses of the remotes",
        State.WARNING,
        f"{visible(name)} leads to {visible(address)}; the password in your config was made for {visible(other)} "
        "and is not offered there.",
        f"If it is right there: modelkeep login {visible(name)}, or write the address beside the password, into "
        ".dvc/config.local.",
    )


def ignored(project: Project, online: bool, progress: Progress) -> Checks:
    """What the repository's own config asks for in vain."""
    title = "Settings that are ignored"
    found = project.config.ignored()
    if not found:
        yield Check("ignored", title, State.OK, "The repository asks for nothing that only you may choose.")
    for one in found:
        where = f"remote {visible(one.remote)}, {one.key}" if one.remote else one.key
        yield Check(
            "ignored",
            title,
            State.WARNING,
            f"{where}: {one.why}",
            "If it is yours, set it in .dvc/config.local.",
        )


CHECKS: tuple[tuple[str, Examine], ...] = (
    ("Looking for secrets", secrets),
    ("Looking at the keyring", keyring),
    ("Looking at addresses", addresses),
    ("Looking at settings", ignored),
)
