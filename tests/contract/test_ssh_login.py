"""One login for a store: passwords through the vault, asked once for everybody, kept only when they were right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import servers
from contract.conftest import spec_of, trust
from modelkeep.core.credentials import NO_QUESTIONS, Credentials, MemoryVault
from modelkeep.core.errors import ConnectionLost, LoginFailed, LoginNeeded
from modelkeep.core.progress import Cancelled
from modelkeep.core.stores import ssh_connect, ssh_identity
from modelkeep.core.stores.registry import login_address
from modelkeep.core.values import Secret
from servers import SshServer
from ssh_client import log_in, use

pytestmark = pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)


def test_a_wrong_password_is_asked_again_and_only_the_right_one_accepted(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    login = servers.Login("wrong", servers.PASSWORD)
    spec = spec_of(ssh, keyfile="")
    use(spec, login)
    address = f"{ssh.shell.user}@127.0.0.1:{ssh.port}"
    assert login.asked == [
        ("password", address, 1),
        ("rejected", address),
        ("password", address, 2),
        ("accepted", address),
    ]
    assert login_address(spec) == address


def test_three_wrong_passwords_are_enough(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    login = servers.Login("a", "b", "c", servers.PASSWORD)
    with pytest.raises(LoginFailed) as caught:
        use(spec_of(ssh, keyfile=""), login)
    assert login.kinds() == ["password", "rejected"] * 3
    assert not any(secret in str(caught.value) for secret in ("'a'", "'b'"))


@pytest.mark.parametrize(("fails", "error"), [(False, Cancelled), (True, LoginNeeded)])
def test_nobody_answers(ssh: SshServer, home: Path, fails: bool, error: type[Exception]) -> None:
    trust(home, ssh)
    with pytest.raises(error):
        use(spec_of(ssh, keyfile=""), servers.Login(fails=fails))


def test_the_reasons_are_told(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    with pytest.raises(LoginFailed, match="did not accept the password") as caught:
        log_in(ssh, servers.Login("a", "b", "c"))
    assert caught.value.reason == "password_wrong" and "locked the account" in caught.value.hint
    with pytest.raises(LoginFailed) as caught:
        log_in(ssh, servers.Login("a", "b", "c"), user="nobody-there")
    assert caught.value.reason == "password_wrong"


# -- several at once -----------------------------------------------------------------------------------


class Person:
    """Answers slowly, so that the others arrive meanwhile; counts what is asked."""

    def __init__(self, *passwords: str | None) -> None:
        self.left = list(passwords)
        self.asked: list[tuple[str, int]] = []

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        self.asked.append((address, attempt))
        time.sleep(1.0)
        answer = self.left.pop(0)
        return Secret(answer) if answer is not None else None

    def say(self, text: str) -> None:
        return


def at_once(number: int, connect: Callable[[], object]) -> list[str]:
    """What came of that many connections begun together."""
    outcomes: list[str] = []
    start = threading.Barrier(number)

    def run() -> None:
        start.wait()
        try:
            connect()
            outcomes.append("in")
        except (Cancelled, LoginFailed, LoginNeeded) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_eight_connections_ask_one_password(ssh: SshServer, home: Path, vault: MemoryVault) -> None:
    trust(home, ssh)
    person = Person("wrong", servers.PASSWORD)
    login = Credentials(vault, person, lambda _: None)  # type: ignore[arg-type]
    length = len(ssh.log())
    assert at_once(8, lambda: log_in(ssh, login)) == ["in"] * 8
    assert [attempt for _, attempt in person.asked] == [1, 2]
    assert ssh.log()[length:].count("Failed password") == 1
    assert vault.get(f"{ssh.shell.user}@127.0.0.1:{ssh.port}") is not None


@pytest.mark.parametrize(("answers", "outcome"), [((None,), "Declined"), (("a", "b", "c"), "LoginFailed")])
def test_eight_connections_share_a_refusal(
    ssh: SshServer, home: Path, vault: MemoryVault, answers: tuple[str | None, ...], outcome: str
) -> None:
    trust(home, ssh)
    person = Person(*answers)
    login = Credentials(vault, person, lambda _: None)  # type: ignore[arg-type]
    assert at_once(8, lambda: log_in(ssh, login)) == [outcome] * 8
    assert len(person.asked) == len(answers)


def test_where_nobody_can_be_asked_all_are_told(ssh: SshServer, home: Path, vault: MemoryVault) -> None:
    trust(home, ssh)
    login = Credentials(vault, NO_QUESTIONS, lambda _: None)
    assert at_once(3, lambda: log_in(ssh, login)) == ["LoginNeeded"] * 3


def test_who_waits_asks_if_the_first_one_breaks_off(ssh: SshServer, home: Path, vault: MemoryVault) -> None:
    """A lost connection is no answer of the server: the next one takes the turn, and what was typed is not lost."""
    trust(home, ssh)
    with servers.link_to(ssh) as link:
        trust(home, ssh, link.port)

        class Cuts(Person):
            def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
                found = super().password(address, attempt=attempt, prompt=prompt)
                link.cut()
                return found

        person = Cuts(servers.PASSWORD)
        login = Credentials(vault, person, lambda _: None)  # type: ignore[arg-type]

        def connect() -> None:
            log_in(link.port, login, user=ssh.shell.user)

        def again() -> None:
            try:
                connect()
            except ConnectionLost:
                connect()

        assert at_once(2, again) == ["in", "in"]
        assert len(person.asked) == 1


def test_a_person_may_think_for_longer_than_the_server(
    tmp_path: Path, home: Path, vault: MemoryVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trusting a key and typing a password outlast the server's patience; both count on the next connection."""
    monkeypatch.setattr(ssh_connect, "_THOUGHT", 1.5)
    ssh_identity.forget_trust()

    class Thinks(Person):
        def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
            self.asked.append((host, 0))
            time.sleep(2.5)
            return "once"

        def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
            found = super().password(address, attempt=attempt, prompt=prompt)
            time.sleep(1.5)
            return found

    with servers.ssh_server(tmp_path / "d", config="LoginGraceTime 2") as server:
        person = Thinks(servers.PASSWORD)
        login = Credentials(vault, person, lambda _: None)  # type: ignore[arg-type]
        log_in(server, login)  # it hung up twice, over the key and over the password
        assert [attempt for _, attempt in person.asked] == [0, 1]
    ssh_identity.forget_trust()
