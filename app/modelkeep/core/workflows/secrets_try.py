"""Tells whether a password that Git remembers still opens its server: one try, at its own server, when asked."""

from __future__ import annotations

from collections.abc import Sequence

from modelkeep.core.credentials import Credentials, normal_address
from modelkeep.core.errors import ModelkeepError, NotFound, Refused, Unsupported
from modelkeep.core.formats.config import Config, RemoteConfig, parse_config
from modelkeep.core.formats.config_secrets import FoundSecret, find_secrets
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Cancelled, Progress
from modelkeep.core.project import Project
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.limits import DEFAULT
from modelkeep.core.stores.ssh_config import resolve
from modelkeep.core.stores.ssh_connect import Connection
from modelkeep.core.stores.ssh_keys import Keys
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
    route = resolve(spec.host, spec.user, spec.port)
    login = _OneTry(project.credentials, str(route.address), secret)
    try:
        # Keys would open the door as well, and nothing were known of the password.
        Connection(route, Keys(without=True), login, DEFAULT, progress).close()
    except (Cancelled, ModelkeepError):
        progress.check()
        if not login.was_asked:
            raise
    return login.verdict


class _OneTry:
    """Gives one password once to the server at `address`, whose other questions are left unanswered.

    Hosts on the way there are logged in to as always.
    """

    def __init__(self, credentials: Credentials, address: str, secret: Secret) -> None:
        self._credentials = credentials
        self._address = normal_address(address)
        self._secret = secret
        self.was_asked = False
        self.verdict: bool | None = None

    def _is_meant(self, address: object) -> bool:
        return normal_address(str(address)) == self._address

    def password(self, address: object, attempt: int, prompt: str) -> Secret | None:
        if not self._is_meant(address):
            return self._credentials.password(address, attempt, prompt)
        first, self.was_asked = not self.was_asked, True
        return self._secret if first else None

    def answers(
        self, address: object, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        if not self._is_meant(address):
            return self._credentials.answers(address, title=title, instructions=instructions, prompts=prompts)
        self.was_asked = True
        return None

    def passphrase(self, keyfile: str, attempt: int, key: str = "") -> Secret | None:
        return self._credentials.passphrase(keyfile, attempt, key)

    def unlocked(self, key: str) -> None:
        self._credentials.unlocked(key)

    def say(self, text: str) -> None:
        self._credentials.say(text)

    def accepted(self, address: object) -> None:
        if self._is_meant(address):
            self.verdict = True
        else:
            self._credentials.accepted(address)

    def rejected(self, address: object) -> None:
        if self._is_meant(address):
            self.verdict = False
        else:
            self._credentials.rejected(address)

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        return self._credentials.trust_host(host, key_type, fingerprint)


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
