"""Who is asked for secrets and trust: the interface to a person, and the answer where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from modelkeep.core.errors import AddressChanged, LoginFailed, LoginNeeded, UnknownHost
from modelkeep.core.values import Secret


class Questions(Protocol):
    """Asks a person. Called from worker threads; may block as long as the person needs."""

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        """The password for user@host:port; `attempt` over 1 means the last was refused. None: cancelled."""

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        """What unlocks a private key file. None: do without it."""

    def answers(
        self, address: str, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        """Answers to the questions of the server at user@host:port, one for each (text, whether it is shown
        while it is typed). The texts are the server's and plain. None: cancelled."""

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        """Whether an unknown host key is right: "cancel", "once" or "remember"."""

    def address_changed(self, remote: str, old: str, new: str) -> bool:
        """Whether it is right that the remote now lies at `new`. Nothing has been sent there yet."""

    def say(self, text: str) -> None:
        """A sentence for the person while a login waits ("Touch the security key …"); "" takes it away.

        Never blocks.
        """


class _NoQuestions:
    """For programs without a person: everything that would be asked is an error that says what to do."""

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        if attempt > 1:
            raise LoginFailed(
                f"{address} did not accept the password.",
                hint="Store the right one: modelkeep login",
                reason="password_wrong",
            )
        raise LoginNeeded(address, detail=prompt, hint="Store the password: modelkeep login")

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        return None

    def answers(
        self, address: str, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        raise LoginNeeded(
            address,
            detail="\n".join(text for text, _ in prompts),
            hint="The server asks more than a password. Log in with a key, or where a person can answer.",
        )

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        raise UnknownHost(host, key_type, fingerprint)

    def address_changed(self, remote: str, old: str, new: str) -> bool:
        raise AddressChanged(remote, old, new)

    def say(self, text: str) -> None:
        return


NO_QUESTIONS: Questions = _NoQuestions()
