"""Keys of every kind, against a real server: files, agents, certificates, security keys; which are tried, and what
is asked and said about them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from contract.conftest import trust
from fake_agent import SecurityKey, fake_agent
from modelkeep.core.credentials import Credentials, MemoryVault
from modelkeep.core.errors import LoginFailed
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores import ssh_agent as agents
from modelkeep.core.stores.ssh_stages import Stage
from modelkeep.core.stores.ssh_userauth import plain_algorithm
from modelkeep.core.values import Secret
from servers import SshServer, make_key
from ssh_client import authorize, certify, log_in, ssh_agent, write

needs_passwords = pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)


@pytest.fixture
def agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running ssh-agent without keys, known to the environment."""
    with ssh_agent(home / "agent") as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        yield sock


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("ca") / "ca")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, ca: Path) -> Iterator[SshServer]:
    """A server that takes certificates of `ca`, and hangs up after two refusals."""
    folder = tmp_path_factory.mktemp("strict") / "d"
    folder.mkdir()
    trusted = folder / "ca.pub"
    trusted.write_bytes(Path(f"{ca}.pub").read_bytes())
    with servers.ssh_server(folder, config=f"TrustedUserCAKeys {trusted}\nMaxAuthTries 2") as server:
        yield server


def add(*keys: Path) -> None:
    subprocess.run(["ssh-add", "-q", *keys], check=True)


def mark(key: Path) -> str:
    return subprocess.check_output(["ssh-keygen", "-lf", f"{key}.pub"], text=True).split()[1]


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "pem"), [("ed25519", False), ("ecdsa", False), ("ecdsa", True), ("rsa", False), ("rsa", True)]
)
def test_an_encrypted_key_asks_for_its_passphrase(
    ssh: SshServer, home: Path, tmp_path: Path, kind: str, pem: bool
) -> None:
    trust(home, ssh)
    key = make_key(tmp_path / "key", kind, "pass phrase", pem=pem)
    authorize(ssh, Path(f"{key}.pub"))
    login = servers.Login(passphrases=("wrong", "pass phrase"))
    assert log_in(ssh, login, keyfile=key)[Stage.LOGGED_IN] == f"key {key}"
    assert login.asked == [("passphrase", str(key), 1), ("passphrase", str(key), 2), ("unlocked", mark(key))]


def test_a_passphrase_is_asked_only_if_the_server_would_take_the_key(
    ssh: SshServer, home: Path, tmp_path: Path
) -> None:
    trust(home, ssh)
    key = make_key(tmp_path / "stranger", passphrase="pass phrase")
    login = servers.Login(passphrases=("pass phrase",), fails=True)
    with pytest.raises(Exception, match=r"needs a login|did not accept"):
        log_in(ssh, login, keyfile=key)
    assert "passphrase" not in login.kinds()


def test_an_encrypted_pem_key_without_its_public_half(ssh: SshServer, home: Path, tmp_path: Path) -> None:
    trust(home, ssh)
    key = make_key(tmp_path / "key", "rsa", "pass phrase", pem=True)
    authorize(ssh, Path(f"{key}.pub"))
    Path(f"{key}.pub").unlink()
    login = servers.Login(passphrases=("pass phrase",))
    assert log_in(ssh, login, keyfile=key)[Stage.LOGGED_IN] == f"key {key}"


def test_three_wrong_passphrases_are_told(ssh: SshServer, home: Path, tmp_path: Path) -> None:
    trust(home, ssh)
    key = make_key(tmp_path / "key", passphrase="pass phrase")
    authorize(ssh, Path(f"{key}.pub"))
    write(home, "Host *\n PreferredAuthentications publickey\n")
    with servers.ssh_server(tmp_path / "d", config="PasswordAuthentication no") as only_keys:
        trust(home, only_keys)
        authorize(only_keys, Path(f"{key}.pub"))
        login = servers.Login(passphrases=("a", "b", "c", "pass phrase"))
        with pytest.raises(LoginFailed, match="could not be unlocked: the passphrase was wrong") as caught:
            log_in(only_keys, login, keyfile=key)
        assert caught.value.reason == "passphrase_wrong" and "ssh-keygen -y -f" in caught.value.hint
        assert login.kinds() == ["passphrase"] * 3
        stranger = make_key(tmp_path / "stranger")
        with pytest.raises(LoginFailed, match="did not accept any of the keys") as caught:
            log_in(only_keys, servers.Login(), keyfile=stranger)
        assert caught.value.reason == "key_refused" and "authorized_keys" in caught.value.hint
        assert str(stranger) in caught.value.detail
        with pytest.raises(LoginFailed, match=r"no way to log in to .*: it takes publickey") as caught:
            log_in(only_keys, servers.Login())
        assert caught.value.reason == "no_method" and "ssh-add" in caught.value.hint
        stranger.chmod(0o640)
        login = servers.Login()
        with pytest.raises(LoginFailed, match="others may read its file") as caught:
            log_in(only_keys, login, keyfile=stranger)
        assert (
            caught.value.reason == "key_too_open" and caught.value.hint == f"Close it: chmod 600 '{stranger}'"
        )
        assert login.said == [f"{stranger} is left out: others may read it. Try: chmod 600 '{stranger}'"]


def test_who_chose_a_key_is_told_about_it_and_asked_no_password(
    ssh: SshServer, home: Path, tmp_path: Path
) -> None:
    trust(home, ssh)
    key = make_key(tmp_path / "key", passphrase="pass phrase")
    login = servers.Login(servers.PASSWORD, passphrases=("a", "b", "c", "pass phrase"))

    def reason() -> str:
        with pytest.raises(LoginFailed) as caught:
            log_in(ssh, login, keyfile=key, alone=True)
        return caught.value.reason

    assert reason() == "key_refused"
    authorize(ssh, Path(f"{key}.pub"))
    assert reason() == "passphrase_wrong"
    key.chmod(0o644)
    assert reason() == "key_too_open"
    key.chmod(0o600)
    assert log_in(ssh, login, keyfile=key, alone=True)[Stage.LOGGED_IN] == f"key {key}"
    assert set(login.kinds()) == {"passphrase", "unlocked"}


@needs_passwords
def test_files_that_are_no_keys_are_named(ssh: SshServer, home: Path, tmp_path: Path) -> None:
    trust(home, ssh)
    (tmp_path / "text").write_text("no key")
    (tmp_path / "key.ppk").write_text("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")
    (tmp_path / "broken").write_text(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"
    )
    (tmp_path / "broken").chmod(0o600)
    names = ("text", "key.ppk", "broken", "missing")
    write(home, "Host *\n" + "".join(f" IdentityFile {tmp_path / name}\n" for name in names))
    with pytest.raises(LoginFailed) as caught:
        log_in(ssh, servers.Login("a", "b", "c"))
    for said in (
        "text is no private key.",
        "PuTTYgen",
        "broken is left out: it cannot be read",
        "does not exist",
    ):
        assert said in caught.value.detail


# -- passphrases that are kept -------------------------------------------------------------------------


class Person:
    """Gives passphrases from a list."""

    def __init__(self, *passphrases: str) -> None:
        self.left = list(passphrases)
        self.asked: list[tuple[str, int]] = []

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        self.asked.append((keyfile, attempt))
        return Secret(self.left.pop(0)) if self.left else None

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        return None

    def say(self, text: str) -> None:
        return


def test_a_passphrase_is_kept_for_exactly_its_key(
    ssh: SshServer, home: Path, tmp_path: Path, vault: MemoryVault
) -> None:
    trust(home, ssh)
    key = make_key(tmp_path / "key", passphrase="first phrase")
    authorize(ssh, Path(f"{key}.pub"))
    first = mark(key)

    def connect(person: Person) -> None:
        log_in(ssh, Credentials(vault, person, lambda _: None), keyfile=key)  # type: ignore[arg-type]

    person = Person("wrong", "first phrase")
    connect(person)
    assert person.asked == [(str(key), 1), (str(key), 2)]
    kept = vault.get(first)
    assert kept is not None and kept.reveal() == "first phrase"
    connect(person)
    assert len(person.asked) == 2, "a run of its own, and nobody was asked"

    # Another key in the same place: the passphrase that is kept is not even tried.
    key.unlink()
    make_key(key, passphrase="second phrase")
    authorize(ssh, Path(f"{key}.pub"))
    person = Person("second phrase")
    connect(person)
    assert person.asked == [(str(key), 1)]

    # Changed with ssh-keygen -p: the old one is tried once, then a person is asked, and the new one kept.
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "second phrase", "-N", "third phrase", "-f", key],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    person = Person("third phrase")
    connect(person)
    assert person.asked == [(str(key), 2)]
    kept = vault.get(mark(key))
    assert kept is not None and kept.reveal() == "third phrase"
    kept = vault.get(first)
    assert kept is not None and kept.reveal() == "first phrase"


# -- the agent -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_key_of_the_agent(ssh: SshServer, home: Path, tmp_path: Path, agent: Path, kind: str) -> None:
    trust(home, ssh)
    key = make_key(tmp_path / "key", kind)
    authorize(ssh, Path(f"{key}.pub"))
    add(key)
    login = servers.Login()
    length = len(ssh.log())
    assert log_in(ssh, login)[Stage.LOGGED_IN].startswith("agent key ")
    assert login.asked == [] and "auth-agent" not in ssh.log()[length:]


@needs_passwords
def test_keys_do_not_use_up_the_attempts_for_passwords(
    ssh: SshServer, strict: SshServer, home: Path, tmp_path: Path, agent: Path
) -> None:
    """Also not where the server hangs up after two of them: then the password goes over a connection of its own."""
    add(*(make_key(tmp_path / f"k{number}") for number in range(8)))
    for server in (ssh, strict):
        trust(home, server)
        login = servers.Login("wrong", servers.PASSWORD) if server is ssh else servers.Login(servers.PASSWORD)
        length = len(server.log())
        assert log_in(server, login)[Stage.LOGGED_IN] == "password"
        assert server.log()[length:].count("Failed publickey") <= 3
        assert login.kinds()[-1] == "accepted"


def test_too_many_keys_where_only_a_key_would_do(
    ssh: SshServer, strict: SshServer, home: Path, tmp_path: Path, agent: Path
) -> None:
    trust(home, strict)
    keys = [make_key(tmp_path / f"k{number}") for number in range(3)]
    add(*keys)
    with servers.ssh_server(tmp_path / "d", config="PasswordAuthentication no\nMaxAuthTries 2") as only_keys:
        trust(home, only_keys)
        with pytest.raises(LoginFailed, match="ended the connection after too many keys") as caught:
            log_in(only_keys, servers.Login())
        assert caught.value.reason == "too_many_keys" and "IdentitiesOnly yes" in caught.value.hint
        assert mark(keys[0]) in caught.value.detail
        # What the hint says helps, also with nothing but the public half beside.
        authorize(only_keys, Path(f"{keys[2]}.pub"))
        public = Path(f"{keys[2]}.pub")
        write(home, f"Host *\n IdentityFile {public}\n IdentitiesOnly yes\n")
        assert mark(keys[2]) in log_in(only_keys, servers.Login())[Stage.LOGGED_IN]


def test_the_agent_that_the_config_names(ssh: SshServer, home: Path, tmp_path: Path, agent: Path) -> None:
    trust(home, ssh)
    with ssh_agent(home / "other") as other:
        subprocess.run(["ssh-add", "-q", ssh.key], check=True, env={"SSH_AUTH_SOCK": str(other)})
        write(home, "Host *\n IdentityAgent ~/other\n")
        assert log_in(ssh, servers.Login())[Stage.LOGGED_IN].startswith("agent key ")
    add(ssh.key)
    write(home, "Host *\n IdentityAgent none\n")
    login = servers.Login(fails=True)
    with pytest.raises(Exception, match=r"needs a login|no way to log in"):
        log_in(ssh, login)


def test_an_agent_that_does_not_answer_is_left(
    ssh: SshServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(home, ssh)
    monkeypatch.setattr(agents, "_PATIENCE", 0.3)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "deaf"))
    with fake_agent(home / "deaf", SecurityKey(), is_deaf=True):
        assert log_in(ssh, servers.Login(), keyfile=ssh.key)[Stage.LOGGED_IN] == f"key {ssh.key}"


# -- security keys -------------------------------------------------------------------------------------


def test_a_security_key_is_announced_and_only_touched_if_it_helps(
    ssh: SshServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(home, ssh)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "token"))
    token = SecurityKey()
    with fake_agent(home / "token", token):
        login = servers.Login(fails=True)
        with pytest.raises(Exception, match=r"needs a login|did not accept"):
            log_in(ssh, login)
        assert token.touched == 0 and login.said == []
        authorize(ssh, token.blob)
        assert log_in(ssh, login)[Stage.LOGGED_IN].startswith("agent key my token (SHA256:")
        assert token.touched == 1 and login.said == ["Touch the security key to log in.", ""]


def test_waiting_for_a_touch_can_be_cancelled(
    ssh: SshServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(home, ssh)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "token"))
    token = SecurityKey()
    authorize(ssh, token.blob)
    progress = Progress()

    def sign(data: bytes) -> bytes:
        progress.cancel()
        time.sleep(0.5)
        return b""

    monkeypatch.setattr(token, "sign", sign)
    with fake_agent(home / "token", token), pytest.raises(Cancelled):
        log_in(ssh, servers.Login(), progress=progress)


# -- certificates --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_beside_the_key(
    strict: SshServer, home: Path, tmp_path: Path, ca: Path, kind: str
) -> None:
    trust(home, strict)
    key = make_key(tmp_path / "key", kind)
    certify(ca, key, strict.shell.user)
    login = servers.Login()
    assert log_in(strict, login, keyfile=key)[Stage.LOGGED_IN] == f"certificate of key {key}"
    assert login.asked == []


def test_a_certificate_in_the_agent(
    strict: SshServer, home: Path, tmp_path: Path, ca: Path, agent: Path
) -> None:
    trust(home, strict)
    for kind in ("ed25519", "rsa"):
        key = make_key(tmp_path / kind, kind)
        certify(ca, key, strict.shell.user)
        add(key)
        assert log_in(strict, servers.Login())[Stage.LOGGED_IN].startswith("certificate in the agent key ")
        subprocess.run(["ssh-add", "-q", "-D"], check=True)


def test_a_certificate_elsewhere_with_its_key_in_the_agent(
    strict: SshServer, home: Path, tmp_path: Path, ca: Path, agent: Path
) -> None:
    trust(home, strict)
    key = make_key(tmp_path / "key")
    add(key)
    cert = certify(ca, key, strict.shell.user).rename(tmp_path / "elsewhere.pub")
    write(home, f"Host *\n CertificateFile {cert}\n IdentityFile {key}.pub\n IdentitiesOnly yes\n")
    key.unlink()
    assert log_in(strict, servers.Login())[Stage.LOGGED_IN].startswith("certificate of agent key ")


def test_a_locked_key_with_a_certificate(strict: SshServer, home: Path, tmp_path: Path, ca: Path) -> None:
    trust(home, strict)
    key = make_key(tmp_path / "key", passphrase="pass phrase")
    certify(ca, key, strict.shell.user)
    login = servers.Login(passphrases=("pass phrase",))
    assert log_in(strict, login, keyfile=key)[Stage.LOGGED_IN] == f"certificate of key {key}"


def test_rsa_keys_never_sign_with_sha1() -> None:
    assert plain_algorithm("ssh-rsa", "rsa-sha2-512") == "rsa-sha2-512"
    assert (
        plain_algorithm("ssh-rsa-cert-v01@openssh.com", "rsa-sha2-256") == "rsa-sha2-256-cert-v01@openssh.com"
    )
    assert plain_algorithm("ssh-rsa", "") == plain_algorithm("ssh-rsa-cert-v01@openssh.com", "") == ""
    assert plain_algorithm("ssh-ed25519", "") == "ssh-ed25519"
