"""Certificates of hosts, made by ssh-keygen and shown by a real server: when an authority's word is enough."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from modelkeep.core.errors import HostKeyChanged, UnknownHost
from modelkeep.core.keyfile import public_half
from modelkeep.core.stores import ssh_hostcert, ssh_identity
from modelkeep.core.stores.ssh_stages import Stage
from servers import SshServer, make_key
from ssh_client import log_in, write


@pytest.fixture(autouse=True)
def _nobody_trusted_before() -> None:
    ssh_identity.forget_trust()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A public key that has nothing to do with the server."""
    key = make_key(tmp_path_factory.mktemp("stranger") / "key")
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A server with a certificate for 127.0.0.1, signed by `ca` beside its keys."""
    folder = tmp_path_factory.mktemp("certified") / "d"
    folder.mkdir()
    make_key(folder / "ca")
    make_key(folder / "host_ed25519")
    sign_host(folder, "-n", "127.0.0.1")
    with servers.ssh_server(folder, config=f"HostCertificate {folder}/host_ed25519-cert.pub") as server:
        yield server


def sign_host(folder: Path, *extra: str, ca: str = "ca") -> bytes:
    command = ["ssh-keygen", "-q", "-h", "-s", folder / ca, "-I", "test", *extra, folder / "host_ed25519.pub"]
    subprocess.run(command, check=True, capture_output=True)
    return base64.b64decode((folder / "host_ed25519-cert.pub").read_text().split()[1])


def test_an_authority_vouches_for_a_server(certified: SshServer, home: Path, stranger: str) -> None:
    ca = " ".join((certified.folder / "ca.pub").read_text().split()[:2])
    name = f"[127.0.0.1]:{certified.port}"
    login = servers.Login(trust="cancel")
    for line in (f"@cert-authority 127.0.* {ca}\n", f"@cert-authority {name} {ca}\n{name} {stranger}\n"):
        write(home, line, "known_hosts")
        fact = log_in(certified, login, keyfile=certified.key)[Stage.TRUSTED]
        assert fact == f"ssh-ed25519 {certified.fingerprint()} (certificate)"
    assert login.asked == [] and login.said == []


def test_where_no_authority_vouches_the_plain_key_is_asked_about(
    certified: SshServer, ssh: SshServer, home: Path, stranger: str
) -> None:
    def say(server: SshServer, line: str) -> str:
        write(home, line, "known_hosts")
        login = servers.Login(trust="cancel")
        with pytest.raises(UnknownHost):
            log_in(server, login)
        assert login.kinds() == ["trust"] and len(login.said) == 1
        return login.said[0]

    other = f"@cert-authority * {stranger}\n"
    assert "Its certificate cannot be used: it is signed by an authority that is not known" in say(
        certified, other
    )
    assert "The server shows no certificate; you are asked about its plain key instead." in say(ssh, other)
    ca = " ".join((certified.folder / "ca.pub").read_text().split()[:2])
    key = certified.known_hosts().split(" ", 1)[1]
    for name in ("*", "127.0.0.1"):  # the second without the port, as the authority's own line counts
        assert "that is not known" in say(certified, f"@cert-authority {name} {ca}\n@revoked {name} {ca}\n")
        write(home, f"@cert-authority {name} {ca}\n@revoked {name} {key}", "known_hosts")
        with pytest.raises(HostKeyChanged, match="revoked"):
            log_in(certified, servers.Login())
    write(home, f"{other}{certified.known_hosts()}", "known_hosts")
    login = servers.Login()
    log_in(certified, login, keyfile=certified.key)
    assert login.asked == [], "the plain key is known"


def test_what_a_certificate_is_worth(tmp_path: Path) -> None:
    for name in ("ca", "host_ed25519", "stranger"):
        make_key(tmp_path / name)
    make_key(tmp_path / "rsa", "rsa")
    authorities = [blob for name in ("ca", "rsa") if (blob := public_half(str(tmp_path / f"{name}.pub")))]

    def why(certificate: bytes, host: str = "lab.example") -> str:
        return ssh_hostcert.problem(certificate, host, authorities)

    good = sign_host(tmp_path, "-n", "lab.example,lab", "-V", "-1h:+1h")
    assert why(good) == why(good, "LAB") == why(sign_host(tmp_path)) == ""
    assert why(sign_host(tmp_path, "-n", "lab.example", ca="rsa")) == ""
    assert why(good, "other.example") == "it is for lab.example, lab"
    assert why(sign_host(tmp_path, "-V", "-2h:-1h")) == "it has expired"
    assert why(sign_host(tmp_path, "-V", "+1h:+2h")) == "it is not valid yet"
    assert "authority that is not known" in why(sign_host(tmp_path, ca="stranger"))
    subprocess.run(
        [
            "ssh-keygen",
            "-q",
            "-s",
            tmp_path / "ca",
            "-I",
            "u",
            "-n",
            "lab.example",
            tmp_path / "host_ed25519.pub",
        ],
        check=True,
        capture_output=True,
    )
    user = public_half(str(tmp_path / "host_ed25519-cert.pub"))
    assert user is not None and why(user) == "it is not for a host"
    for place in range(40, len(good)):  # one wrong bit anywhere, and it vouches for nobody
        if place % 7 == 0:
            assert why(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]) != ""
    for size in range(0, len(good), 11):
        assert why(good[:size]) == "it cannot be read"
    assert why(good + b"x") == "it has more than it should"
