"""The jobs over SSH, against a real sshd on this machine, some through a slow link. Knows how each is set up."""

from __future__ import annotations

import itertools
import shlex
import shutil
from pathlib import Path

from bench import data, latency
from bench.jobs import Build, Job
from bench.jobs_local import Play, both, remote_config
from bench.measure import Call, Contest, Side
from bench.stage import Seat, Stage, expect_files, expect_objects
from servers import Account

_GCM = "aes128-gcm@openssh.com"


class Server:
    """A folder for remotes on an account of the server, and how each program is told to reach it."""

    def __init__(self, stage: Stage, *, shell: bool = True, port: int | None = None) -> None:
        self.stage = stage
        self.account: Account = stage.account(shell=shell)
        self.port = port or stage.ssh.port
        self._turns = itertools.count(1)
        self.known_hosts = stage.ssh.known_hosts(port=self.port)
        self._known = stage.folder / "known_hosts"
        self._known.write_text(self.known_hosts)

    def fresh(self, *, prefixes: bool = False) -> str:
        """The name of an empty remote; with `prefixes` its 256 folders are there."""
        name = f"remote-{next(self._turns)}"
        place = self.place(name)
        place.mkdir()
        shutil.chown(place, self.account.user)
        if prefixes:
            self.make_prefixes(place / "files/md5")
        return name

    def make_prefixes(self, place: Path) -> None:
        """The 256 folders objects lie in."""
        for number in range(256):
            (place / f"{number:02x}").mkdir(parents=True)
        for path in [*place.iterdir(), place, place.parent]:
            shutil.chown(path, self.account.user)

    def fill(self, master: data.Master) -> str:
        """The name of a remote that holds everything of `master`."""
        name = self.fresh()
        data.copy(master.cache / "files", self.place(name) / "files")
        for path in (self.place(name), *self.place(name).rglob("*")):
            shutil.chown(path, self.account.user)
        return name

    def place(self, name: str) -> Path:
        """Where the remote called `name` really lies."""
        return self.account.folder / name

    def path(self, name: str) -> str:
        """The same as the account sees it."""
        return f"{self.account.path}/{name}"

    def config(self, name: str) -> str:
        """The settings of a project that uses it."""
        server = self.stage.ssh
        url = f"ssh://{self.account.user}@{server.host}:{self.port}{self.path(name)}"
        return remote_config(url, keyfile=server.key)

    def openssh(self, program: str, *options: str) -> list[str]:
        """OpenSSH's `ssh` or `sftp` for this account, no settings of a person involved."""
        server = self.stage.ssh
        port = ["-P" if program == "sftp" else "-p", str(self.port)]
        chosen = ["-o", f"UserKnownHostsFile={self._known}", "-o", "BatchMode=yes", *options]
        return [
            program,
            "-F",
            "none",
            "-i",
            str(server.key),
            *port,
            *chosen,
            f"{self.account.user}@{server.host}",
        ]

    def ssh(self, command: str) -> str:
        """A line for a shell that runs `command` on the server."""
        return f"{shlex.join(self.openssh('ssh'))} {shlex.quote(command)}"

    def pipelined(self, source: Path, name: str, in_flight: int) -> list[str | Path]:
        """The floor that sends the files below `source` by SFTP requests of its own."""
        server = self.stage.ssh
        where: list[str | Path] = [server.host, str(self.port), self.account.user, server.key]
        return self.stage.script("floors_sftp.py", *where, source, self.path(name), str(in_flight))


def _shell(line: str) -> list[str]:
    return ["sh", "-c", f"set -e; {line}"]


def _pushing(server: Server, master: data.Master, *, prefixes: bool = False) -> Play:
    """Send everything to a remote that is empty every time."""

    def play(seat: Seat) -> Side:
        seat.known_hosts = server.known_hosts
        seat.renew()
        seat.take(master, "cache", "metafile")

        def ready() -> Call:
            name = server.fresh(prefixes=prefixes)
            seat.configure(server.config(name))
            return seat.call("push", check=expect_objects(server.place(name), master.objects))

        return ready

    return play


def push(name: str, *, shell: bool = True) -> Build:
    """Send everything to an empty remote; the floor is what suits the account and the size of the files."""

    def build(stage: Stage) -> Contest:
        master = stage.master(name)
        server = Server(stage, shell=shell)
        if name != "B":
            floor = _by_openssh(server, master)
        else:
            floor = _by_tar(server, master) if shell else _by_pipeline(server, master, 64)
        return {**both(stage, _pushing(server, master)), "floor": floor}

    return build


def _by_tar(server: Server, master: data.Master) -> Side:
    def floor() -> Call:
        name = server.fresh()
        line = f"tar -C {master.data} -cf - . | {server.ssh(f'tar -C {server.path(name)} -xf -')}"
        return server.stage.floor(_shell(line), check=expect_files(server.place(name), master.kind.files))

    return floor


def _by_openssh(server: Server, master: data.Master) -> Side:
    def floor() -> Call:
        name = server.fresh()
        batch = server.stage.folder / "batch"
        batch.write_text(f"put -r {master.data} {server.path(name)}/data\n")
        options = ("-b", str(batch), "-B", "261120", "-R", "128", "-c", _GCM)
        command = server.openssh("sftp", *options)
        return server.stage.floor(command, check=expect_files(server.place(name) / "data", master.kind.files))

    return floor


def _by_pipeline(server: Server, master: data.Master, in_flight: int, *, prefixes: bool = False) -> Side:
    def floor() -> Call:
        name = server.fresh(prefixes=prefixes)
        command = server.pipelined(master.cache / "files/md5", f"{name}/files/md5", in_flight)
        return server.stage.floor(command, check=expect_objects(server.place(name), master.objects))

    return floor


def push_far(*, prefixes: bool) -> Build:
    """Send a few small files over a link whose round trip takes 20 ms."""

    def build(stage: Stage) -> Contest:
        master = stage.master("L")
        link = stage.stack.enter_context(latency.slow_link((stage.ssh.host, stage.ssh.port), 0.020))
        server = Server(stage, port=link)
        floor = _by_pipeline(server, master, 256, prefixes=prefixes)
        return {**both(stage, _pushing(server, master, prefixes=prefixes)), "floor": floor}

    return build


def pull(name: str) -> Build:
    """Fetch everything into an empty cache and check it out."""

    def build(stage: Stage) -> Contest:
        master = stage.master(name)
        server = Server(stage)
        full = server.fill(master)

        def play(seat: Seat) -> Side:
            seat.known_hosts = server.known_hosts

            def ready() -> Call:
                seat.renew(config=server.config(full))
                seat.take(master, "metafile")
                return seat.call("pull", check=expect_files(seat.project / "data", master.kind.files))

            return ready

        def floor() -> Call:
            target = stage.floor_folder()
            (target / "cache").mkdir()
            get = server.ssh(f"tar -C {server.path(full)}/files/md5 -cf - .")
            line = f"{get} | tar -C {target}/cache -xf -; cp -r {target}/cache {target}/data"
            return stage.floor(_shell(line), check=expect_files(target, 2 * master.objects))

        return {**both(stage, play), "floor": floor}

    return build


def nothing_new(*words: str) -> Build:
    """Ask a remote that has everything already."""

    def build(stage: Stage) -> Contest:
        master = stage.master("B")
        server = Server(stage)
        full = server.fill(master)

        def play(seat: Seat) -> Side:
            seat.known_hosts = server.known_hosts
            seat.renew(config=server.config(full))
            seat.take(master, "data", "cache", "metafile")
            seat.run(*words)
            return lambda: seat.call(*words)

        find = _shell(server.ssh(f"find {server.path(full)} -type f -printf '%s %P\\n'"))
        return {**both(stage, play), "floor": lambda: stage.floor(find)}

    return build


_TAR = "tar | ssh tar"
_SFTP = "OpenSSH sftp, AES-GCM, requests of 255 KiB"
_PIPE = "pipelined SFTP on paramiko"
_BACK = "ssh tar | tar, and cp -r"
_FIND = "one find over ssh"

JOBS = (
    Job("push-B", "push by SSH, shell", "B", push("B"), 15, 2.3, floor=_TAR, needs="ssh"),
    Job("push-sftp-B", "push by SFTP only", "B", push("B", shell=False), 10, 1.5, floor=_PIPE, needs="sftp"),
    Job("push-A", "push by SSH", "A", push("A"), 1.3, 1.4, floor=_SFTP, needs="ssh"),
    Job("push-C", "push by SSH", "C", push("C"), 2, 1.4, floor=_SFTP, needs="ssh"),
    Job(
        "push-far-L",
        "push, 20 ms, folders there",
        "L",
        push_far(prefixes=True),
        20,
        2.5,
        floor=_PIPE,
        needs="ssh",
    ),
    Job(
        "push-far-empty-L",
        "push, 20 ms, empty remote",
        "L",
        push_far(prefixes=False),
        40,
        2.5,
        floor=_PIPE,
        needs="ssh",
    ),
    Job("pull-B", "pull by SSH", "B", pull("B"), 6, 2, floor=_BACK, needs="ssh"),
    Job("pull-A", "pull by SSH", "A", pull("A"), 1.2, 2, floor=_BACK, needs="ssh"),
    Job("pull-C", "pull by SSH", "C", pull("C"), 1.5, 2, floor=_BACK, needs="ssh"),
    Job(
        "push-again-B", "push by SSH, nothing new", "B", nothing_new("push"), 3, 2.5, floor=_FIND, needs="ssh"
    ),
    Job(
        "status-cloud-B",
        "status -c by SSH",
        "B",
        nothing_new("status", "-c"),
        3,
        2.5,
        floor=_FIND,
        needs="ssh",
    ),
)
