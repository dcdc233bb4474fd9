"""Who a server is: known_hosts in every form OpenSSH writes, what is asked once and of whom, and that nothing is sent
to a server before."""

from __future__ import annotations

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from contract.conftest import trust
from modelkeep.core.errors import HostKeyChanged, LoginNeeded, ModelkeepError, UnknownHost, Unsupported
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores import host_keys, ssh_identity
from modelkeep.core.stores.base import Address
from modelkeep.core.stores.host_keys import HostKey, host_name, lookup
from modelkeep.core.stores.ssh_stages import Stage
from servers import SshServer, make_key
from ssh_client import log_in, write


@pytest.fixture(autouse=True)
def _nobody_trusted_before() -> Iterator[None]:
    ssh_identity.forget_trust()
    yield
    ssh_identity.forget_trust()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Public host keys: `right` is shown by the server, the others are not."""
    folder = tmp_path_factory.mktemp("keys")
    made = {"right": "ed25519", "other": "ed25519", "ecdsa": "ecdsa"}
    for name, kind in made.items():
        make_key(folder / name, kind)
    return {name: " ".join((folder / f"{name}.pub").read_text().split()[:2]) for name in made}


def public(line: str) -> HostKey:
    kind, text = line.split()
    return HostKey(kind, base64.b64decode(text))


# -- reading known_hosts -------------------------------------------------------------------------------

# (content, name of the host, verdict); {right}, {other} and {ecdsa} are keys.
_FILES = {
    "plain": ("lab {right}\n", "lab", "known"),
    "several names": ("a,lab,10.0.0.1 {right}\n", "10.0.0.1", "known"),
    "in capitals": ("LAB {right}\n", "lab", "known"),
    "with a comment": ("lab {right} added by me\n", "lab", "known"),
    "no newline at the end": ("x {other}\nlab {right}", "lab", "known"),
    "crlf": ("lab {right}\r\nx {other}\r\n", "lab", "known"),
    "blank and odd lines": ("\n\n   \n#lab {other}\n\t lab {right}\n", "lab", "known"),
    "garbage before": ("\x00\xff garbage\nlab\nlab ssh-ed25519\nlab {right}\n", "lab", "known"),
    "not base64": ("lab ssh-ed25519 ???\nlab {right}\n", "lab", "known"),
    "the type lies": ("lab ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==\nlab {right}\n", "lab", "known"),
    "an unknown type": ("lab ssh-new AAAAB3NzaC1uZXc=\nlab {right}\n", "lab", "known"),
    "an unknown marker": ("@new lab {other}\nlab {right}\n", "lab", "known"),
    "a very old line": ("lab 1024 35 1234567890\nlab {right}\n", "lab", "known"),
    "a port": ("[lab]:2222 {right}\n", "[lab]:2222", "known"),
    "another port": ("lab {right}\n", "[lab]:2222", "unknown"),
    "star": ("*.example {right}\n", "lab.example", "known"),
    "star and port": ("[*.example]:* {right}\n", "[lab.example]:2222", "known"),
    "question mark": ("gpu? {right}\n", "gpu7", "known"),
    "brackets are no pattern": ("gpu[0-9] {right}\n", "gpu7", "unknown"),
    "negated": ("*.example,!lab.example {right}\n", "lab.example", "unknown"),
    "negated for another": ("!x.example,*.example {right}\n", "lab.example", "known"),
    "changed": ("lab {other}\n", "lab", "changed"),
    "changed, other type": ("lab {ecdsa}\n", "lab", "changed"),
    "one of two": ("lab {other}\nlab {right}\n", "lab", "known"),
    "revoked": ("@revoked lab {right}\n", "lab", "revoked"),
    "revoked after a good line": ("lab {right}\n@revoked * {right}\n", "lab", "revoked"),
    "another key revoked": ("@revoked * {other}\nlab {right}\n", "lab", "known"),
    "revoked for another host": ("@revoked x {right}\nlab {right}\n", "lab", "known"),
    "authority alone": ("@cert-authority * {other}\n", "lab", "unknown"),
    "authority beside": ("@cert-authority * {other}\nlab {right}\n", "lab", "known"),
    "an authority is no host key": ("@cert-authority * {right}\n", "lab", "unknown"),
    "ipv6": ("::1,[::1]:2222 {right}\n", "[::1]:2222", "known"),
    "empty": ("", "lab", "unknown"),
    "a broken hash": ("|1|AAAA|BBBB {other}\n|2|x|y {other}\n| {other}\nlab {right}\n", "lab", "known"),
}


@pytest.mark.parametrize("is_hashed", [False, True])
def test_every_form_of_line(tmp_path: Path, keys: dict[str, str], is_hashed: bool) -> None:
    """Hashed by ssh-keygen as well, where it does that; its verdict about a name is then ours."""
    different = {}
    for case, (text, name, expected) in _FILES.items():
        file = tmp_path / "known_hosts"
        file.write_bytes(text.format(**keys).encode("latin-1"))
        if is_hashed:
            if any(sign in text for sign in "*?!|@\x00") or not text or "1024" in text:
                continue
            file.write_text(
                "".join(f"{line}\n" for line in text.format(**keys).splitlines() if line.count(" ") > 1)
            )
            subprocess.run(["ssh-keygen", "-H", "-f", file], check=False, capture_output=True)
        found = verdict(file, name, public(keys["right"]))
        if found != expected:
            different[case] = (found, expected)
    assert different == {}


def verdict(file: Path, name: str, key: HostKey) -> str:
    try:
        return "known" if lookup([str(file)], name).accepts(key) else "unknown"
    except HostKeyChanged as error:
        assert error.reason in ("host_revoked", "host_changed")
        return error.reason.removeprefix("host_")


def test_what_is_written_is_what_openssh_reads(tmp_path: Path, keys: dict[str, str]) -> None:
    file = tmp_path / "new" / "known_hosts"
    names = [
        host_name(Address("ann", host, port)) for host, port in (("Lab", 22), ("lab", 2222), ("::1", 2222))
    ]
    assert names == ["lab", "[lab]:2222", "[::1]:2222"]
    for number, name in enumerate(names):
        host_keys.remember(str(file), name, public(keys["right"]), hashed=number == 1)
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    for name in names:
        said = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", file], capture_output=True, text=True, check=False
        )
        assert keys["right"] in said.stdout
        assert verdict(file, name, public(keys["right"])) == "known"
    assert "[lab]" not in file.read_text()


# -- forgetting a host ---------------------------------------------------------------------------------


def test_forgetting_a_host_takes_exactly_its_lines(tmp_path: Path, keys: dict[str, str]) -> None:
    file = tmp_path / "known_hosts"
    host_keys.remember(str(file), "[lab]:2222", public(keys["other"]), hashed=True)
    kept = (
        "# mine\n@revoked lab {other}\n@cert-authority lab {other}\n*.lab,lab* {other}\ngarbage\nx {right}\r\n"
    ).format(**keys)
    gone = "lab {right} of ann\nA,Lab,10.0.0.1 {ecdsa}\n".format(**keys)
    hashed = file.read_text()
    file.write_text(kept + gone + hashed)
    file.chmod(0o640)
    before = file.read_bytes()
    assert host_keys.forget_host(str(file), Address("ann", "LAB", 22)) == tuple(gone.splitlines())
    assert file.read_bytes().decode() == kept + hashed and file.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "known_hosts.old").read_bytes() == before
    assert host_keys.forget_host(str(file), Address("ann", "lab", 2222)) == (hashed.strip(),)
    assert host_keys.forget_host(str(file), Address("ann", "lab", 2222)) == ()
    assert file.read_bytes().decode() == kept
    assert host_keys.forget_host(str(tmp_path / "missing"), "lab") == ()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["known_hosts", "known_hosts.old"]


def test_a_link_to_the_file_stays_a_link(tmp_path: Path, keys: dict[str, str]) -> None:
    real, link = tmp_path / "real", tmp_path / "known_hosts"
    real.write_text(f"lab {keys['right']}\nx {keys['right']}\n")
    link.symlink_to(real)
    assert len(host_keys.forget_host(str(link), "lab")) == 1
    assert link.is_symlink() and real.read_text() == f"x {keys['right']}\n"


def test_a_host_that_is_forgotten_is_asked_about_again(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    name = host_name(Address("ann", "127.0.0.1", ssh.port))
    (line,) = host_keys.own_lines(str(home / ".ssh/known_hosts"), name)
    assert (line.place, line.key.fingerprint) == (f"{home}/.ssh/known_hosts:1", ssh.fingerprint())
    assert host_keys.forget_host(str(home / ".ssh/known_hosts"), name) == (ssh.known_hosts().strip(),)
    with pytest.raises(UnknownHost):
        log_in(ssh, servers.Login(trust="cancel"), keyfile=ssh.key)


# -- unknown servers -----------------------------------------------------------------------------------


def quiet(server: SshServer) -> int:
    """How long the log is, once what other tests left under way has been written."""
    length = -1
    while length != len(server.log()):
        length = len(server.log())
        time.sleep(0.3)
    return length


def test_an_unknown_host_gets_nothing_before_it_is_trusted(ssh: SshServer, home: Path) -> None:
    login = servers.Login(servers.PASSWORD, trust="cancel")
    mark = quiet(ssh)
    with pytest.raises(UnknownHost, match="is not known yet") as caught:
        log_in(ssh, login)
    assert login.asked == [("trust", f"[127.0.0.1]:{ssh.port}", "ssh-ed25519", ssh.fingerprint())]
    assert caught.value.fingerprint == ssh.fingerprint() and caught.value.reason == "host_unknown"
    assert "userauth" not in ssh.log()[mark:]
    assert ssh.shell.user not in ssh.log()[mark:]  # not even the name was sent
    assert not (home / ".ssh" / "known_hosts").exists()


def test_a_host_is_remembered_once(ssh: SshServer, home: Path) -> None:
    before = "# my own comment\n@cert-authority x ssh-ed25519 AAAA\ngarbage"
    known = write(home, before, "known_hosts")
    login = servers.Login()
    assert log_in(ssh, login, keyfile=ssh.key)[Stage.TRUSTED] == f"ssh-ed25519 {ssh.fingerprint()}"
    log_in(ssh, login, keyfile=ssh.key)
    assert login.kinds() == ["trust"]
    assert known.read_text() == f"{before}\n{ssh.known_hosts()}"


def test_a_host_trusted_once_is_not_written_down(ssh: SshServer, home: Path) -> None:
    login = servers.Login(trust="once")
    for _ in range(2):
        log_in(ssh, login, keyfile=ssh.key)
    assert login.kinds() == ["trust"]
    assert not (home / ".ssh" / "known_hosts").exists()


@pytest.mark.parametrize("answer", ["remember", "cancel"])
def test_connections_that_meet_an_unknown_host_together_ask_once(
    ssh: SshServer, home: Path, answer: str
) -> None:
    class Slow(servers.Login):
        def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
            time.sleep(1.5)  # the others arrive meanwhile
            return super().trust_host(host, key_type, fingerprint)

    login = Slow(trust=answer)
    outcomes: list[str] = []

    def connect() -> None:
        try:
            log_in(ssh, login, keyfile=ssh.key)
            outcomes.append("in")
        except UnknownHost:
            outcomes.append("unknown")

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert login.kinds() == ["trust"]
    assert outcomes == (["in"] if answer == "remember" else ["unknown"]) * 4


def test_waiting_for_somebody_elses_answer_can_be_cancelled(ssh: SshServer, home: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    class Asks(servers.Login):
        def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
            asked.set()
            answer.wait(10)
            return "cancel"

    login, progress = Asks(), Progress()

    def connect() -> None:
        with pytest.raises(UnknownHost):
            log_in(ssh, login)

    first = threading.Thread(target=connect)
    first.start()
    assert asked.wait(5)
    threading.Timer(0.5, progress.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        log_in(ssh, login, progress=progress)
    assert time.monotonic() - began < 8
    answer.set()
    first.join()


def test_names_are_hashed_where_the_user_wants_that(ssh: SshServer, home: Path) -> None:
    write(home, "Host *\n  HashKnownHosts yes\n")
    login = servers.Login()
    for _ in range(2):
        log_in(ssh, login, keyfile=ssh.key)
    text = (home / ".ssh" / "known_hosts").read_text()
    assert text.startswith("|1|") and "127.0.0.1" not in text
    assert login.kinds() == ["trust"]


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_file_that_cannot_be_written_is_told(ssh: SshServer, home: Path, is_folder: bool) -> None:
    """As root nothing is read-only, so that the place is a folder, or beneath a file."""
    known = home / "known" / "hosts"
    if is_folder:
        known.mkdir(parents=True)
    else:
        known.parent.write_text("")
    write(home, f"Host *\n UserKnownHostsFile {known}\n")
    login = servers.Login()
    for _ in range(2):
        log_in(ssh, login, keyfile=ssh.key)
    assert login.kinds() == ["trust"]
    assert len(login.said) == 1 and "could not be written" in login.said[0]
    assert login.said[0].endswith("is trusted until Modelkeep ends.")


def test_where_asking_is_forbidden_an_unknown_host_is_refused(ssh: SshServer, home: Path) -> None:
    write(home, "Host *\n StrictHostKeyChecking yes\n")
    login = servers.Login()
    with pytest.raises(UnknownHost) as caught:
        log_in(ssh, login, keyfile=ssh.key)
    assert login.asked == [] and "ssh-keyscan" in caught.value.hint and caught.value.reason == "host_unknown"
    trust(home, ssh)
    log_in(ssh, login, keyfile=ssh.key)


# -- changed and revoked keys --------------------------------------------------------------------------


def test_a_changed_key_is_refused(ssh: SshServer, home: Path, keys: dict[str, str]) -> None:
    line = f"[127.0.0.1]:{ssh.port} {keys['other']}\n"
    for text in (line, f"[127.0.0.*]:{ssh.port} {keys['other']}\n"):
        write(home, text, "known_hosts")
        login = servers.Login(servers.PASSWORD)
        mark = quiet(ssh)
        with pytest.raises(HostKeyChanged, match="has changed; nothing was sent to it") as caught:
            log_in(ssh, login)
        assert caught.value.reason == "host_changed" and login.asked == []
        assert f"Presented: ssh-ed25519 {ssh.fingerprint()}" in caught.value.detail
        assert public(keys["other"]).fingerprint in caught.value.detail
        assert "known_hosts:1)" in caught.value.detail
        error, old = caught.value, public(keys["other"])
        assert (error.host, error.presented) == (
            f"[127.0.0.1]:{ssh.port}",
            ("ssh-ed25519", ssh.fingerprint()),
        )
        assert error.known == (("ssh-ed25519", old.fingerprint, f"{home}/.ssh/known_hosts:1"),)
        assert ssh.shell.user not in ssh.log()[mark:]


def test_a_revoked_key_is_refused(ssh: SshServer, home: Path) -> None:
    with trust(home, ssh).open("a") as file:
        file.write("@revoked * " + ssh.known_hosts().split(" ", 1)[1])
    with pytest.raises(HostKeyChanged, match="revoked") as caught:
        log_in(ssh, servers.Login(), keyfile=ssh.key)
    assert caught.value.reason == "host_revoked" and "new key" in caught.value.hint


# -- which key is asked for, and where it is looked up -------------------------------------------------


def test_the_key_that_is_known_is_asked_for(ssh: SshServer, home: Path) -> None:
    trust(home, ssh).write_text(ssh.known_hosts("ecdsa"))
    login = servers.Login()
    assert log_in(ssh, login, keyfile=ssh.key)[Stage.TRUSTED].startswith("ecdsa-sha2-nistp256 SHA256:")
    assert login.asked == []


def test_the_types_of_keys_that_the_config_wants(ssh: SshServer, home: Path) -> None:
    cases = {
        "ecdsa-sha2-nistp256,ssh-ed25519": "ecdsa-sha2-nistp256",
        "^ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
        "-ssh-ed25519": "ecdsa-sha2-nistp256",
        "+ssh-rsa": "ssh-ed25519",
    }
    for text, kind in cases.items():
        write(home, f"Host *\n HostKeyAlgorithms {text}\n UserKnownHostsFile ~/{kind}\n")
        assert log_in(ssh, servers.Login(), keyfile=ssh.key)[Stage.TRUSTED].startswith(f"{kind} "), text
    write(home, "Host *\n HostKeyAlgorithms ssh-rsa,ssh-dss\n")
    with pytest.raises(Unsupported, match="leaves nothing that can be used") as caught:
        log_in(ssh, servers.Login(), keyfile=ssh.key)
    assert caught.value.reason == "old_algorithms"


def test_other_files_and_other_names(ssh: SshServer, home: Path) -> None:
    trust(home, ssh).rename(home / "elsewhere")
    login = servers.Login()
    write(home, "UserKnownHostsFile ~/elsewhere\n")
    log_in(ssh, login, keyfile=ssh.key)
    write(home, "GlobalKnownHostsFile ~/elsewhere\n")
    log_in(ssh, login, keyfile=ssh.key)
    line = ssh.known_hosts().split(" ", 1)[1]
    (home / "elsewhere").write_text(f"gpu-cluster {line}")
    write(home, "UserKnownHostsFile ~/elsewhere\nHostKeyAlias GPU-cluster\n")
    log_in(ssh, login, keyfile=ssh.key)
    assert login.asked == []


def test_ipv6(tmp_path: Path, home: Path) -> None:
    try:
        with servers.ssh_server(tmp_path / "d", config="ListenAddress ::1") as server:
            login = servers.Login()
            facts = log_in(server, login, keyfile=server.key, host="::1")
            assert facts[Stage.RESOLVED] == "::1" and facts[Stage.CONNECTED] == f"::1 port {server.port}"
            assert login.asked[0][:2] == ("trust", f"[::1]:{server.port}")
            assert (home / ".ssh/known_hosts").read_text().startswith(f"[::1]:{server.port} ssh-ed25519 ")
    except (ModelkeepError, pytest.fail.Exception):
        if Path("/proc/net/if_inet6").exists() and Path("/proc/net/if_inet6").read_text():
            raise
        pytest.skip("this machine has no IPv6")


def test_without_a_person_nothing_is_trusted(ssh: SshServer, home: Path) -> None:
    class Nobody(servers.Login):
        def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
            raise UnknownHost(host, key_type, fingerprint)

    with pytest.raises(UnknownHost):
        log_in(ssh, Nobody(), keyfile=ssh.key)
    trust(home, ssh)
    with pytest.raises(LoginNeeded):
        log_in(ssh, Nobody(fails=True))
