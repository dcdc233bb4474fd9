"""Identity before secrets, and every way to log in, against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from contract.conftest import SHORT, spec_of, trust
from modelkeep.core.errors import HostKeyChanged, LoginFailed, LoginNeeded, StoreFailed, UnknownHost
from modelkeep.core.progress import Cancelled
from modelkeep.core.stores import ssh_identity
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.registry import login_address, open_store

needs_passwords = pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)


@pytest.fixture(autouse=True)
def _nobody_trusted_before() -> Iterator[None]:
    ssh_identity.forget_trust()
    yield
    ssh_identity.forget_trust()


def use(spec: RemoteSpec, login: servers.Login) -> None:
    """Connect, do something, and close."""
    store = open_store(spec, login, limits=SHORT)
    try:
        store.prepare()
    finally:
        store.close()


def logins(server: servers.SshServer, since: int = 0) -> str:
    return server.log()[since:]


def config(home: Path, text: str, name: str = "config") -> None:
    file = home / ".ssh" / name
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(text)


def quiet(server: servers.SshServer) -> int:
    """How long the log is, once what other tests left under way has been written."""
    length = -1
    while length != len(server.log()):
        length = len(server.log())
        time.sleep(0.3)
    return length


# -- host keys -----------------------------------------------------------------------------------------


def test_an_unknown_host_gets_nothing_before_it_is_trusted(ssh: servers.SshServer, home: Path) -> None:
    login = servers.Login(servers.PASSWORD, trust="cancel")
    mark = quiet(ssh)
    with pytest.raises(UnknownHost) as caught:
        use(spec_of(ssh, keyfile=""), login)
    assert login.asked == [("trust", f"[127.0.0.1]:{ssh.port}", "ssh-ed25519", ssh.fingerprint())]
    assert caught.value.fingerprint == ssh.fingerprint()
    assert "userauth" not in logins(ssh, mark)
    assert ssh.shell.user not in logins(ssh, mark)  # not even the name was sent
    assert not (home / ".ssh" / "known_hosts").exists()


def test_a_host_is_remembered_once(ssh: servers.SshServer, home: Path) -> None:
    known = home / ".ssh" / "known_hosts"
    known.parent.mkdir()
    known.write_text("# my own comment\n@cert-authority * ssh-ed25519 AAAA\ngarbage")
    login = servers.Login()
    use(spec_of(ssh), login)
    use(spec_of(ssh), login)
    assert login.kinds() == ["trust"]
    assert known.read_text() == (
        f"# my own comment\n@cert-authority * ssh-ed25519 AAAA\ngarbage\n{ssh.known_hosts()}"
    )
    found = subprocess.run(["ssh-keygen", "-F", f"[127.0.0.1]:{ssh.port}", "-f", known], capture_output=True)
    assert found.returncode == 0


def test_a_host_trusted_once_is_not_written_down(ssh: servers.SshServer, home: Path) -> None:
    login = servers.Login(trust="once")
    use(spec_of(ssh), login)
    use(spec_of(ssh), login)
    assert login.kinds() == ["trust"]
    assert not (home / ".ssh" / "known_hosts").exists()


def test_names_are_hashed_where_the_user_wants_that(ssh: servers.SshServer, home: Path) -> None:
    config(home, "Host *\n  HashKnownHosts yes\n")
    use(spec_of(ssh), servers.Login())
    text = (home / ".ssh" / "known_hosts").read_text()
    assert text.startswith("|1|")
    assert "127.0.0.1" not in text
    login = servers.Login()
    use(spec_of(ssh), login)
    assert login.asked == []


def test_a_changed_key_is_refused(ssh: servers.SshServer, home: Path, tmp_path: Path) -> None:
    other = servers.make_key(tmp_path / "other")
    line = ssh.known_hosts().split()[0] + " " + Path(f"{other}.pub").read_text()
    trust(home, ssh).write_text(line)
    login = servers.Login(servers.PASSWORD)
    mark = len(ssh.log())
    with pytest.raises(HostKeyChanged) as caught:
        use(spec_of(ssh, keyfile=""), login)
    assert login.asked == []
    assert ssh.fingerprint() in caught.value.detail
    assert "known_hosts:1" in caught.value.detail
    assert ssh.shell.user not in logins(ssh, mark)


def test_the_key_that_is_known_is_asked_for(ssh: servers.SshServer, home: Path) -> None:
    trust(home, ssh).write_text(ssh.known_hosts("ecdsa"))
    login = servers.Login()
    use(spec_of(ssh), login)
    assert login.asked == []


def test_a_revoked_key_is_refused(ssh: servers.SshServer, home: Path) -> None:
    with trust(home, ssh).open("a") as file:
        file.write("@revoked * " + ssh.known_hosts().split(" ", 1)[1])
    with pytest.raises(HostKeyChanged, match="revoked"):
        use(spec_of(ssh), servers.Login())


def test_another_file_of_known_hosts(ssh: servers.SshServer, home: Path) -> None:
    trust(home, ssh).rename(home / "elsewhere")
    config(home, "UserKnownHostsFile ~/elsewhere\n")
    login = servers.Login()
    use(spec_of(ssh), login)
    assert login.asked == []


# -- passwords -----------------------------------------------------------------------------------------


@needs_passwords
def test_a_wrong_password_is_asked_again_and_only_the_right_one_accepted(
    ssh: servers.SshServer, home: Path
) -> None:
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


@needs_passwords
def test_three_wrong_passwords_are_enough(ssh: servers.SshServer, home: Path) -> None:
    trust(home, ssh)
    login = servers.Login("a", "b", "c", servers.PASSWORD)
    with pytest.raises(LoginFailed) as caught:
        use(spec_of(ssh, keyfile=""), login)
    assert login.kinds() == ["password", "rejected"] * 3
    assert not any(secret in str(caught.value) for secret in ("'a'", "'b'"))


@needs_passwords
@pytest.mark.parametrize(("fails", "error"), [(False, Cancelled), (True, LoginNeeded)])
def test_nobody_answers(ssh: servers.SshServer, home: Path, fails: bool, error: type[Exception]) -> None:
    trust(home, ssh)
    with pytest.raises(error):
        use(spec_of(ssh, keyfile=""), servers.Login(fails=fails))


@needs_passwords
def test_keys_do_not_use_up_the_attempts_for_passwords(
    ssh: servers.SshServer, home: Path, tmp_path: Path, agent: Path
) -> None:
    trust(home, ssh)
    for number in range(8):
        subprocess.run(["ssh-add", "-q", servers.make_key(tmp_path / f"k{number}")], check=True)
    login = servers.Login("wrong", servers.PASSWORD)
    use(spec_of(ssh, keyfile=""), login)
    assert login.kinds()[-1] == "accepted"


_INTERACTIVE = "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes"


@needs_passwords
def test_keyboard_interactive(tmp_path: Path, home: Path) -> None:
    with servers.ssh_server(tmp_path / "d", config=_INTERACTIVE) as server:
        trust(home, server)
        login = servers.Login("wrong", servers.PASSWORD)
        use(spec_of(server, keyfile=""), login)
        assert login.kinds() == ["password", "rejected", "password", "accepted"]


# -- keys ----------------------------------------------------------------------------------------------


@pytest.fixture
def agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running ssh-agent without keys."""
    sock = home / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    while not sock.exists():
        assert process.poll() is None
    monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
    yield sock
    process.terminate()
    process.wait(5)


def authorize(server: servers.SshServer, key: Path) -> None:
    """Let `key` in as well."""
    file = next(one for one in server.keys.iterdir() if one.name == server.shell.user)
    with file.open("a") as stream:
        stream.write(Path(f"{key}.pub").read_text())


@pytest.mark.parametrize(
    ("kind", "pem"), [("ed25519", False), ("ecdsa", False), ("rsa", False), ("rsa", True)]
)
def test_an_encrypted_key_asks_for_its_passphrase(
    ssh: servers.SshServer, home: Path, tmp_path: Path, kind: str, pem: bool
) -> None:
    trust(home, ssh)
    key = servers.make_key(tmp_path / "key", kind, "pass phrase", pem=pem)
    authorize(ssh, key)
    login = servers.Login(passphrases=("wrong", "pass phrase"))
    use(spec_of(ssh, keyfile=str(key)), login)
    mark = subprocess.check_output(["ssh-keygen", "-lf", f"{key}.pub"], text=True).split()[1]
    assert login.asked == [("passphrase", str(key), 1), ("passphrase", str(key), 2), ("unlocked", mark)]


def test_a_key_of_the_agent(ssh: servers.SshServer, home: Path, agent: Path) -> None:
    trust(home, ssh)
    subprocess.run(["ssh-add", "-q", ssh.key], check=True)
    login = servers.Login()
    use(spec_of(ssh, keyfile=""), login)
    assert login.asked == []


def test_the_key_named_in_the_config(ssh: servers.SshServer, home: Path) -> None:
    trust(home, ssh)
    config(home, "Include more/*.conf\nHost other\n  User nobody\n")
    (home / ".ssh" / "more").mkdir()
    (home / ".ssh" / "more" / "lab.conf").write_text(
        f"Host lab\n  HostName 127.0.0.1\n  Port {ssh.port}\n  User {ssh.shell.user}\n"
        f"  IdentityFile {ssh.key}\n  IdentitiesOnly yes\n"
    )
    use(RemoteSpec.parse(f"ssh://lab{ssh.shell.path}/by-alias"), servers.Login())
    assert (ssh.shell.folder / "by-alias").is_dir()
    assert login_address(RemoteSpec.parse("ssh://LAB/x")) == f"{ssh.shell.user}@127.0.0.1:{ssh.port}"


def test_a_refused_login_says_what_was_tried(ssh: servers.SshServer, home: Path, tmp_path: Path) -> None:
    trust(home, ssh)
    key = servers.make_key(tmp_path / "stranger")
    login = servers.Login("a", "b", "c")
    with pytest.raises(LoginFailed) as caught:
        use(spec_of(ssh, keyfile=str(key)), login)
    assert str(key) in caught.value.detail


# -- ways round ----------------------------------------------------------------------------------------


def test_proxy_jump_over_two_hops(ssh: servers.SshServer, home: Path, tmp_path: Path) -> None:
    trust(home, ssh)
    here = f"  HostName 127.0.0.1\n  Port {ssh.port}\n  User {ssh.shell.user}\n  IdentityFile {ssh.key}\n"
    config(
        home,
        f"Host first\n{here}\nHost second\n{here}\nHost last\n{here}  ProxyJump first,second\n",
    )
    mark = len(ssh.log())
    use(RemoteSpec.parse(f"ssh://last{ssh.shell.path}/jumped"), servers.Login())
    assert (ssh.shell.folder / "jumped").is_dir()
    assert logins(ssh, mark).count("Accepted publickey") == 3


def test_every_hop_must_be_known(ssh: servers.SshServer, home: Path) -> None:
    here = f"  HostName 127.0.0.1\n  Port {ssh.port}\n  User {ssh.shell.user}\n  IdentityFile {ssh.key}\n"
    config(home, f"Host first\n{here}\nHost last\n{here}  ProxyJump first\n")
    login = servers.Login(trust="cancel")
    with pytest.raises(UnknownHost):
        use(RemoteSpec.parse(f"ssh://last{ssh.shell.path}/jumped"), login)
    assert login.kinds() == ["trust"]


@needs_passwords
def test_a_hop_that_passes_nothing_on(ssh: servers.SshServer, home: Path) -> None:
    trust(home, ssh)
    assert ssh.sftp_only is not None
    config(
        home,
        f"Host hop\n  HostName 127.0.0.1\n  Port {ssh.port}\n  User {ssh.sftp_only.user}\n"
        f"  IdentityFile {ssh.key}\nHost 127.0.0.1\n  ProxyJump hop\n",
    )
    with pytest.raises(StoreFailed, match="does not pass connections on"):
        use(spec_of(ssh), servers.Login())


def test_a_circle_of_hops_is_noticed(ssh: servers.SshServer, home: Path) -> None:
    config(home, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(StoreFailed, match="too many hosts"):
        use(RemoteSpec.parse("ssh://a/x"), servers.Login())


def test_proxy_command(ssh: servers.SshServer, home: Path, tmp_path: Path) -> None:
    trust(home, ssh)
    script = tmp_path / "proxy.py"
    script.write_text(
        "import os, socket, sys, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while d := os.read(0, 65536): s.sendall(d)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while d := s.recv(65536): os.write(1, d)\n"
    )
    config(home, f"Host behind\n  HostName 127.0.0.1\n  ProxyCommand python3 {script} %h %p\n")
    spec = spec_of(ssh, folder="by-command")
    use(RemoteSpec("ssh", spec.path, "behind", spec.user, spec.port, spec.options), servers.Login())
    assert (ssh.shell.folder / "by-command").is_dir()


def test_what_no_server_is_named_or_offers(ssh: servers.SshServer, home: Path) -> None:
    with pytest.raises(StoreFailed, match="No server is named"):
        use(RemoteSpec.parse("ssh://no-such-host.invalid/x"), servers.Login())


def test_old_encryption_is_refused(tmp_path: Path, home: Path) -> None:
    with servers.ssh_server(tmp_path / "d", config="Ciphers aes128-cbc") as server:
        trust(home, server)
        with pytest.raises(Exception, match="outdated encryption"):
            use(spec_of(server), servers.Login())


def test_no_agent_is_started_or_forwarded(ssh: servers.SshServer, home: Path, agent: Path) -> None:
    trust(home, ssh)
    subprocess.run(["ssh-add", "-q", ssh.key], check=True)
    mark = len(ssh.log())
    use(spec_of(ssh, keyfile=""), servers.Login())
    assert "auth-agent" not in logins(ssh, mark)
    assert os.environ["SSH_AUTH_SOCK"] == str(agent)


def test_a_program_named_by_match_exec_decides(home: Path) -> None:
    """In a process of its own, because paramiko is loaded there without what it needs for that."""
    (home / ".ssh").mkdir(exist_ok=True)
    lines = ["Match exec true", "  Port 2201", "Match exec false", "  User nobody-at-all"]
    (home / ".ssh/config").write_text("\n".join(lines))
    code = "from modelkeep.core.stores.ssh_config import resolve; print(resolve('lab', 'me').address)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout == "me@lab:2201\n", said.stderr
