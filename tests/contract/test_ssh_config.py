"""~/.ssh/config, with OpenSSH's own reader as the referee; and what no config or address may do."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from modelkeep.core.errors import InvalidFile, UsageError
from modelkeep.core.stores.ssh_config import Route, hosts, resolve

_SSH = shutil.which("ssh")

# (config, host, user given, port given); OpenSSH is asked the same.
_CASES = {
    "plain": ("Host lab\n HostName lab.example\n Port 2201\n User ann\n", "lab", "", None),
    "given wins": ("Host lab\n Port 2201\n User ann\n", "lab", "bob", 2202),
    "first wins": ("Host lab\n User ann\nHost *\n User bob\n Port 99\n", "lab", "", None),
    "patterns": ("Host *.example !bad.example\n Port 2201\nHost bad*\n Port 2202\n", "bad.example", "", None),
    "question mark": ("Host gpu?\n Port 2201\n", "gpu7", "", None),
    "no regex": ("Host a[bc]\n Port 2201\n", "ab", "", None),
    "several names": ("Host a b lab\n Port 2201\n", "lab", "", None),
    "equals and quotes": (
        'Host=lab\n HostName="lab.example"\n  Port = 2201\n User "an na"\n',
        "lab",
        "",
        None,
    ),
    "comments": ("# Host lab\nHost lab # mine\n Port 2201 # old\n #Port 2202\n", "lab", "", None),
    "crlf": ("Host lab\r\n Port 2201\r\n User ann\r\n", "lab", "", None),
    "no newline at the end": ("Host lab\n Port 2201", "lab", "", None),
    "case of keywords": ("HOST lab\n hostNAME lab.example\n pORT 2201\n", "lab", "", None),
    "hostname with a token": ("Host lab gpu\n HostName %h.example.org\n", "gpu", "", None),
    "match host": ("Host lab\n HostName lab.example\nMatch host lab.example\n Port 2201\n", "lab", "", None),
    "match originalhost": (
        "Host lab\n HostName x.example\nMatch originalhost lab\n Port 2201\n",
        "lab",
        "",
        None,
    ),
    "match user": (
        "Match user ann,bob host lab\n Port 2201\nMatch user ann\n Port 2202\n",
        "lab",
        "bob",
        None,
    ),
    "match not": ('Match host "*,!lab"\n Port 2201\nMatch !user ann\n Port 2202\n', "lab", "bob", None),
    "match final": (
        "Match final host lab.example\n Port 2201\nHost lab\n HostName lab.example\n",
        "lab",
        "",
        None,
    ),
    "host in the final pass": (
        "Host *.example\n Port 2201\nHost lab\n HostName lab.example\nMatch final\n User ann\n",
        "lab",
        "",
        None,
    ),
    "match all": ("Host other\n Port 1\nMatch all\n Port 2201\n", "lab", "", None),
    "match exec": (
        'Match exec "test %h = lab"\n Port 2201\nMatch exec false\n User no\n',
        "lab",
        "ann",
        None,
    ),
    "include": ("Host lab\n Include more/*.conf\n Port 9\nHost *\n User ann\n", "lab", "", None),
    "include that does not apply": ("Host other\n Include more/*.conf\nHost *\n User ann\n", "lab", "", None),
    "identities add up": (
        "Host lab\n IdentityFile ~/a\n IdentityFile %d/b-%r\nHost *\n IdentityFile ~/a\n IdentityFile c\n",
        "lab",
        "ann",
        None,
    ),
    "certificates": ("Host lab\n CertificateFile ~/c-cert.pub\n IdentitiesOnly yes\n", "lab", "", None),
    "jump": ("Host lab\n ProxyJump ann@a:22,b\n ProxyCommand nc %h %p\n", "lab", "", None),
    "command": ("Host lab\n ProxyCommand nc -x 'a b' %h %p # no comment\n ProxyJump a\n", "lab", "", None),
    "no jump": ("Host lab\n ProxyJump none\nHost *\n ProxyJump a\n", "lab", "", None),
    "patience": (
        "Host lab\n ConnectTimeout 1m\n ServerAliveInterval 20\n ServerAliveCountMax 7\n",
        "lab",
        "",
        None,
    ),
    "hosts": (
        "Host lab\n UserKnownHostsFile ~/one %d/two\n StrictHostKeyChecking yes\n HostKeyAlias gpu\n",
        "lab",
        "",
        None,
    ),
    "agent": ("Host lab\n IdentityAgent ~/run/%r.sock\n", "lab", "ann", None),
    "no agent": ("Host lab\n IdentityAgent none\n", "lab", "", None),
}


@pytest.mark.skipif(_SSH is None, reason="ssh is not installed")
def test_as_openssh_reads_it(home: Path) -> None:
    folder = _write(home, "")
    (folder / "more").mkdir()
    (folder / "more" / "1.conf").write_text(
        "Port 2201\nHost lab\n HostName in.example\nHost else\n User no\n"
    )
    different = {}
    for case, (text, host, user, port) in _CASES.items():
        _write(home, text.replace("Include ", f"Include {folder}/"))
        given = [*(["-l", user] if user else []), *(["-p", str(port)] if port else [])]
        command = [str(_SSH), "-G", "-T", "-F", folder / "config", *given, host]
        said = subprocess.check_output(command, text=True)
        ours = _ours(resolve(host, user, port))
        theirs = _theirs(said, ours, home)
        different |= {f"{case}: {key}": (ours[key], theirs[key]) for key in ours if ours[key] != theirs[key]}
    assert different == {}


def _write(home: Path, text: str) -> Path:
    folder = home / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "config").write_bytes(text.encode())
    (folder / "config").chmod(0o600)
    return folder


def _ours(route: Route) -> dict[str, object]:
    return {
        "hostname": route.address.host,
        "user": route.address.user,
        "port": str(route.address.port),
        "identityfile": list(route.identities),
        "certificatefile": list(route.certificates),
        "identitiesonly": route.identities_only,
        "proxyjump": ",".join(route.jumps),
        "proxycommand": route.proxy_command,
        "connecttimeout": route.connect_timeout,
        "serveraliveinterval": route.alive_interval,
        "serveralivecountmax": route.alive_count,
        "userknownhostsfile": list(route.known_hosts),
        "hashknownhosts": route.hash_known_hosts,
        "stricthostkeychecking": route.strict,
        "hostkeyalias": route.key_alias,
        "identityagent": route.agent,
    }


def _theirs(said: str, ours: dict[str, object], home: Path) -> dict[str, object]:
    """What `ssh -G` said, in our words. Where the config is silent, ssh prints its defaults; those are skipped."""
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)

    their_home = pwd.getpwuid(os.getuid()).pw_dir  # ssh does not follow $HOME

    def path(text: str) -> str:
        text = str(home) + text[1:] if text.startswith("~") else text
        return str(home) + text.removeprefix(their_home) if text.startswith(f"{their_home}/") else text

    result: dict[str, object] = {}
    for key, mine in ours.items():
        values = found.get(key, [])
        if key in ("identityfile", "certificatefile"):
            tokens = {"%d": str(home), "%r": found["user"][0]}
            names = [path(value) for value in values] if mine else []
            for token, value in tokens.items():
                names = [name.replace(token, value) for name in names]
            result[key] = names
        elif key == "userknownhostsfile":
            result[key] = [path(one).replace("%d", str(home)) for one in " ".join(values).split()]
        elif isinstance(mine, bool):
            result[key] = values[:1] in (["yes"], ["true"])
        elif mine is None:
            result[key] = None
        elif isinstance(mine, int | float):
            result[key] = type(mine)(values[0])
        else:
            text = path(values[0]).replace("%r", found["user"][0]) if values else ""
            if key == "proxycommand":
                text = text.replace("%h", found["hostname"][0]).replace("%p", found["port"][0])
            result[key] = text
    return result


# -- what OpenSSH does not print, or we do otherwise ---------------------------------------------------


def test_without_a_config_the_defaults_hold(home: Path) -> None:
    folder = home / ".ssh"
    route = resolve("lab", "ann")
    assert str(route.address) == "ann@lab:22"
    assert route.known_hosts == (str(folder / "known_hosts"), str(folder / "known_hosts2"))
    assert (route.jumps, route.proxy_command, route.identities, route.agent) == ((), "", (), "")


def test_a_program_named_by_match_exec_decides(home: Path) -> None:
    """In a process of its own, because paramiko is loaded there without what it would need for that."""
    _write(home, "Match exec true\n  Port 2201\nMatch exec false\n  User nobody-at-all")
    code = "from modelkeep.core.stores.ssh_config import resolve; print(resolve('lab', 'me').address)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout == "me@lab:2201\n", said.stderr


def test_a_condition_nobody_can_check_does_not_hold(home: Path) -> None:
    _write(home, "Match tagged lab\n Port 2201\nMatch localnetwork 10.0.0.0/8\n Port 2202\n")
    assert resolve("lab").address.port == 22


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Host lab\n  Port many\n", "no port"),
        ("Host lab\n  Port 70000\n", "no port"),
        ("Host lab\n  Port ²²\n", "no port"),
        (f"Host lab\n  Port {'1' * 5000}\n", "no port"),
        (f"Host lab\n  ConnectTimeout {'1' * 5000}\n", "no time"),
        ("Host lab\n  ConnectTimeout soon\n", "no time"),
        ("Host lab\n  ProxyJump\n", "says nothing"),
        ("Host lab\n  -- what --\n", "no setting"),
        ("Match user\n  Port 1\n", "needs a value"),
    ],
)
def test_a_broken_line_is_named(home: Path, text: str, what: str) -> None:
    _write(home, text)
    with pytest.raises(InvalidFile, match=what):
        resolve("lab")


def test_an_odd_line_takes_no_time(home: Path) -> None:
    """Backslashes without an end, digits without one: nothing that could be read in many ways."""
    odd = "\\" * 5000
    _write(home, f'Host lab\n User "{odd}\n IdentityFile \'{odd}\nMatch user "{odd}\n')
    began = time.process_time()
    with suppress(InvalidFile):
        resolve("lab")
    _write(home, f"Host lab\n ConnectTimeout {'1' * 5000}x\n")
    with pytest.raises(InvalidFile, match="no time"):
        resolve("lab")
    assert time.process_time() - began < 2


def test_a_config_that_includes_itself_ends(home: Path) -> None:
    _write(home, "Include config\nHost lab\n Port 2201\n")
    assert resolve("lab").address.port == 2201
    assert hosts() == ("lab",)


def test_the_names_of_hosts_are_listed_without_patterns(home: Path) -> None:
    folder = _write(home, 'Host lab gpu* "two words"\nInclude more.conf\nHost !x other\nHost lab\n')
    (folder / "more.conf").write_text("Host inner\n")
    assert hosts() == ("lab", "two words", "inner", "other")


@pytest.mark.parametrize("line", ["ProxyCommand nc %r %h %n", 'Match exec "true %r %h %n"\n  Port 1'])
def test_no_address_becomes_part_of_a_command(home: Path, line: str) -> None:
    """Hosts and users come from a repository; the shell that runs the user's own command must not see them."""
    _write(home, f"Host *\n{line}\n")
    marker = home / "pwned"
    for name in (
        f"x;touch${{IFS}}{marker}",
        f"$(touch {marker})",
        f"`touch {marker}`",
        "a|b",
        "a&b",
        "a'b",
        "-x",
    ):
        for host, user in ((name, "ann"), ("lab", name)):
            with pytest.raises(UsageError, match="may not become part of a command"):
                resolve(host, user)
    assert not marker.exists()
