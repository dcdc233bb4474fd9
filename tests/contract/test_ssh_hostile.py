"""A server that notes every secret it receives gets none before its key is trusted, and none of another host's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from hostile_ssh import HostileServer, Round, Script, hostile_server
from modelkeep.core.credentials import NO_QUESTIONS, Credentials, MemoryVault, Questions
from modelkeep.core.errors import HostKeyChanged, LoginFailed, LoginNeeded, UnknownHost
from modelkeep.core.keyfile import look_at
from modelkeep.core.progress import Cancelled
from modelkeep.core.stores import ssh_identity
from modelkeep.core.values import Secret
from servers import SshServer, make_key
from ssh_client import log_in, ssh_agent, write

_REFUSED = (Cancelled, HostKeyChanged, LoginFailed, LoginNeeded, UnknownHost)
_PASSWORD, _QUESTION = (
    Script(["password"]),
    Script(["keyboard-interactive"], rounds=[Round([("Password:", False)], ["right"])]),
)
_GREEDY = Script(
    ["publickey,password,keyboard-interactive"], rounds=[Round([("Password:", False)], ["right"])] * 3
)
_SCRIPTS = {"password": _PASSWORD, "question": _QUESTION, "everything": _GREEDY}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys: the server's, another server's, and a person's."""
    folder = tmp_path_factory.mktemp("hostile")
    for name in ("host", "other", "mine"):
        make_key(folder / name)
    make_key(folder / "ecdsa", "ecdsa")
    return folder


@pytest.fixture
def server(made: Path) -> Iterator[HostileServer]:
    ssh_identity.forget_trust()
    with hostile_server(made / "host", Script()) as found:
        yield found
    ssh_identity.forget_trust()


class Person:
    """Says no to every host, and gives no password; a Questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        self.asked.append("trust")
        return "cancel"

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        self.asked.append(f"password {address}")
        return None

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        return None

    def answers(self, address: str, **_: object) -> list[Secret] | None:
        self.asked.append("answers")
        return None

    def address_changed(self, remote: str, old: str, new: str) -> bool:
        return False

    def say(self, text: str) -> None:
        return


def full_vault(server: HostileServer, *, with_the_right_one: bool) -> MemoryVault:
    """Passwords of other hosts, ports and users, and perhaps of this very one."""
    vault = MemoryVault()
    near = (
        "ann@127.0.0.1:22",
        "ann@127.0.0.2:{p}",
        "bob@127.0.0.1:{p}",
        "ann@localhost:{p}",
        "Ann@127.0.0.1:{p}",
    )
    for name in near:
        vault.put(name.format(p=server.port), Secret("secret of another"))
    vault.put("ann@127.0.0.1:65000", Secret("secret of another"))
    if with_the_right_one:
        vault.put(f"ann@127.0.0.1:{server.port}", Secret("secret of this one"))
    return vault


def known_hosts(server: HostileServer, made: Path) -> dict[str, str]:
    """Files of known_hosts under which this server may not be talked to."""
    name = f"[127.0.0.1]:{server.port}"
    key = {one: " ".join((made / f"{one}.pub").read_text().split()[:2]) for one in ("host", "other", "ecdsa")}
    return {
        "nothing": "",
        "changed": f"{name} {key['other']}\n",
        "changed to another type": f"{name} {key['ecdsa']}\n",
        "changed, by a pattern": f"[127.0.0.*]:* {key['other']}\n",
        "changed, after garbage": f"@what\n\x00\n{name} {key['other']}\r\n",
        "revoked": f"{name} {key['host']}\n@revoked * {key['host']}\n",
        "revoked, by a pattern": f"@revoked [127.*]:* {key['host']}\n{name} {key['host']}\n",
        "without its port": f"127.0.0.1 {key['host']}\n",
        "of another port": f"[127.0.0.1]:{server.port + 1} {key['host']}\n",
        "negated": f"*,!{name} {key['host']}\n",
        "only an authority": f"@cert-authority * {key['host']}\n",
        "commented out": f"#{name} {key['host']}\n",
        "the type lies": f"{name} ssh-rsa {key['host'].split()[1]}\n",
    }


@pytest.mark.parametrize("script", _SCRIPTS)
def test_nothing_is_sent_to_a_server_that_is_not_trusted(
    server: HostileServer, home: Path, made: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """Not the password that is kept for exactly this address, no key, and not even the name of the user."""
    server.script = _SCRIPTS[script]
    tried = 0
    with ssh_agent(home / "agent") as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        subprocess.run(["ssh-add", "-q", made / "mine"], check=True)
        for case, text in known_hosts(server, made).items():
            write(home, text, "known_hosts")
            for questions in (Person(), NO_QUESTIONS):
                login = Credentials(
                    full_vault(server, with_the_right_one=True), questions, lambda _: Secret("cfg")
                )
                with pytest.raises((HostKeyChanged, UnknownHost)):
                    log_in(server.port, login)
                tried += 1
                assert (server.seen.secrets, server.seen.keys, server.seen.users) == ([], [], set()), case
            hashed = subprocess.run(
                ["ssh-keygen", "-H", "-f", home / ".ssh/known_hosts"], check=False, capture_output=True
            )
            if hashed.returncode == 0:
                with pytest.raises((HostKeyChanged, UnknownHost)):
                    log_in(server.port, login)
                assert server.seen.users == set(), f"{case}, hashed"
    assert tried == 26 and server.seen.connections >= tried


@pytest.mark.parametrize("script", _SCRIPTS)
def test_a_trusted_server_gets_no_secret_of_another(server: HostileServer, home: Path, script: str) -> None:
    """Another user, another port, another name of the same machine: all of them are somebody else."""
    server.script = _SCRIPTS[script]
    write(home, server.known_hosts, "known_hosts")
    questions: tuple[Questions, ...] = (Person(), NO_QUESTIONS)
    for one in questions:
        login = Credentials(full_vault(server, with_the_right_one=False), one, lambda _: None)
        with pytest.raises(_REFUSED):
            log_in(server.port, login)
        assert server.seen.secrets == []
    login = Credentials(full_vault(server, with_the_right_one=True), Person(), lambda _: None)
    with pytest.raises(_REFUSED):
        log_in(server.port, login)
    assert {secret for _, secret in server.seen.secrets} == {"secret of this one"}
    assert len(server.seen.secrets) == 1, "and a refused one is not sent again"


def test_what_is_asked_names_the_server_it_is_for(server: HostileServer, home: Path) -> None:
    write(home, server.known_hosts, "known_hosts")
    person = Person()
    with pytest.raises(Cancelled):
        log_in(server.port, Credentials(MemoryVault(), person, lambda _: None))
    assert person.asked == [f"password ann@127.0.0.1:{server.port}"]


def test_a_host_behind_another_gets_none_of_its_secrets(
    ssh: SshServer, server: HostileServer, home: Path
) -> None:
    """The host in between is trusted and has a password; the one behind is not trusted, or has none."""
    if not servers.IS_ROOT:
        pytest.skip(servers.NO_ROOT)
    config = (
        f"Host hop\n HostName 127.0.0.1\n Port {ssh.port}\n User {ssh.shell.user}\n"
        f"Host 127.0.0.1\n ProxyJump hop\n"
    )
    write(home, config)
    vault = MemoryVault()
    vault.put(f"{ssh.shell.user}@127.0.0.1:{ssh.port}", Secret(servers.PASSWORD))
    for known in (ssh.known_hosts(), ssh.known_hosts() + server.known_hosts):
        write(home, known, "known_hosts")
        with pytest.raises(_REFUSED):
            log_in(server.port, Credentials(vault, Person(), lambda _: None))
        assert server.seen.secrets == []


def test_a_passphrase_is_sent_to_nobody(
    server: HostileServer, home: Path, made: Path, tmp_path: Path
) -> None:
    write(home, server.known_hosts, "known_hosts")
    key = make_key(tmp_path / "locked", passphrase="pass phrase")
    server.script = _GREEDY
    found = look_at(str(key))
    assert found is not None
    vault = MemoryVault()
    vault.put(found.mark, Secret("pass phrase"))
    assert vault.get(f"ann@127.0.0.1:{server.port}") is None
    with pytest.raises(_REFUSED):
        log_in(server.port, Credentials(vault, Person(), lambda _: None), keyfile=key)
    assert server.seen.secrets == []
