"""Tells whether a password that Git remembers still opens its server: one try, at its own server, when asked."""

from __future__ import annotations

import os

from modelkeep.core.errors import LoginFailed, ModelkeepError, NotFound, Refused, Unsupported
from modelkeep.core.formats.config import Config, RemoteConfig, parse_config
from modelkeep.core.formats.config_secrets import FoundSecret, find_secrets
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Cancelled, Progress
from modelkeep.core.project import Project
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.registry import open_store
from modelkeep.core.values import Secret
from modelkeep.core.workflows.secrets_scan import Finding


def still_works(project: Project, finding: Finding, progress: Progress = SILENT) -> bool | None:
    """Whether the server still takes a password found in the history; None where that cannot be told.

    Connects once, to the server that stood beside the password and to no other, and sends nothing but this
    password, once its host key is known or trusted by the user. Raises Unsupported for other secrets than passwords
    of SSH remotes, and what the connection raises.
    """
    if finding.kind not in ("", "ssh") or finding.key not in ("password", "url") or not finding.blob:
        raise Unsupported(
            "Only passwords of SSH servers can be tried.", hint="Change the secret where it was issued."
        )
    spec, secret = _server(project, finding, progress)
    login = _OneTry(project, secret)
    # Keys would open the door as well, and nothing were known of the password.
    alone = {"keyfile": os.devnull, "allow_agent": "false"}
    place = RemoteSpec("ssh", spec.path, spec.host, spec.user, spec.port, alone)
    with open_store(place, login) as store, progress.interrupting(store.close):
        try:
            store.sizes(["modelkeep"], progress=progress)
        except (Cancelled, LoginFailed):
            progress.check()
            if login.verdict is None and not login.was_asked:
                raise
        except ModelkeepError:
            if login.verdict is None:
                raise
    return login.verdict


class _OneTry:
    """Gives one password once; whatever else a server asks is left unanswered."""

    def __init__(self, project: Project, secret: Secret) -> None:
        self._project = project
        self._secret = secret
        self.was_asked = False
        self.verdict: bool | None = None

    def password(self, address: object, attempt: int, prompt: str) -> Secret | None:
        if self.was_asked:
            return None
        self.was_asked = True
        return self._secret

    def passphrase(self, keyfile: str, attempt: int, key: str = "") -> Secret | None:
        return None

    def unlocked(self, key: str) -> None:
        return

    def answers(self, address: object, **asked: object) -> list[Secret] | None:
        self.was_asked = True
        return None

    def say(self, text: str) -> None:
        return

    def accepted(self, address: object) -> None:
        self.verdict = True

    def rejected(self, address: object) -> None:
        self.verdict = False

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        return self._project.credentials.trust_host(host, key_type, fingerprint)


def _server(project: Project, finding: Finding, progress: Progress) -> tuple[RemoteSpec, Secret]:
    """Where the password belongs by the text it stood in, else by the `.dvc/config` of that commit."""
    for one in project.git().old_configs(progress):
        if (one.blob, one.path) != (finding.blob, finding.place) and (
            finding.level == "" or one.blob != finding.blob
        ):
            continue
        found = [held for held in find_secrets(one.data) if _is_meant(held, finding)]
        beside = project.catalogue.blob(project.git().resolve(one.commit), one.path.removesuffix(".local"))
        for text in (one.data, beside) if found else ():
            remote = _remote(text, found[0].remote)
            if remote is not None:
                return RemoteSpec.parse(remote.url, dict(remote.options)), found[0].secret
    raise NotFound(
        f"Nothing in the history says which server the password in {visible(finding.place)} is for.",
        hint="Change it on every server where it was used.",
    )


def _is_meant(held: FoundSecret, finding: Finding) -> bool:
    return (held.section, held.key) == (finding.section, finding.key) or (
        # What stands in a file now may have stood elsewhere, then.
        bool(finding.level) and held.key in ("password", "url") and held.remote == finding.remote
    )


def _remote(text: bytes | None, name: str) -> RemoteConfig | None:
    try:
        remote = Config.merge({"repo": parse_config(text or b"", "config")}).remote(name)
    except (ModelkeepError, Refused):
        return None
    return remote if remote.kind == "ssh" and not remote.problem else None
