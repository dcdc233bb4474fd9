"""Who is asked for secrets and trust: the interface to a person, and the answer where there is none."""

from __future__ import annotations

from typing import Protocol

from modelkeep.core.errors import LoginFailed, LoginNeeded, UnknownHost
from modelkeep.core.values import Secret


class Questions(Protocol):
    """Asks a person. Called from worker threads; may block as long as the person needs."""

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        """The password for user@host:port; `attempt` over 1 means the last was refused. None: cancelled."""

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        """What unlocks a private key file. None: do without it."""

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        """Whether an unknown host key is right: "cancel", "once" or "remember"."""


class _NoQuestions:
    """For programs without a person: everything that would be asked is an error that says what to do."""

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        if attempt > 1:
            raise LoginFailed(
                f"{address} did not accept the password.", hint="Store the right one: modelkeep login"
            )
        raise LoginNeeded(address, detail=prompt, hint="Store the password: modelkeep login")

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        return None

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        raise UnknownHost(host, key_type, fingerprint)


NO_QUESTIONS: Questions = _NoQuestions()
