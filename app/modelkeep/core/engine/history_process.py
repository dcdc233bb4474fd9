"""Runs git, and is the only place that does: fixed switches, our environment, cancel. Knows no command's meaning.

The process is started from an argument list (never a shell): by GitPython where git writes or talks to a
server, and directly where it reads, because importing GitPython takes longer than a small command may. What a
repository's own configuration could start is switched off on every call (safety rule 5.3); what cannot be
switched off is found by history_trust. Safe from several threads: every call is a process of its own.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from modelkeep.core.engine.history_errors import GitCommandFailed, explain
from modelkeep.core.nouns import dataclass
from modelkeep.core.patterns import pattern
from modelkeep.core.progress import SILENT, Cancelled, Progress

if TYPE_CHECKING:
    from git.cmd import Git

    from modelkeep.core.engine.history_askpass import Ask

NO_HOOKS = "core.hooksPath=/dev/null"
_SWITCHES = (
    "core.fsmonitor=false",
    "diff.external=",
    "protocol.ext.allow=never",
    "protocol.git.allow=never",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "tag.forceSignAnnotated=false",
    "push.gpgSign=false",
    "log.showSignature=false",
    "core.alternateRefsCommand=true",
    "core.quotePath=false",
    "core.pager=cat",
    "color.ui=false",
    "i18n.logOutputEncoding=UTF-8",
    "user.useConfigOnly=true",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "push.followTags=false",
    "advice.detachedHead=false",
    "core.fsync=all",
    # A background clean-up would outlive Cancel; the user's own git commands do it.
    "gc.auto=0",
    "maintenance.auto=false",
)
_ENVIRONMENT = {
    # With nobody to ask, git and ssh must fail at once instead of waiting for a terminal.
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "LC_ALL": "C.UTF-8",
    "LANGUAGE": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": ":",
    "GIT_SEQUENCE_EDITOR": ":",
    "GIT_ADVICE": "0",
    "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
}
#: A read never takes a lock, and never fetches what a partial clone lacks.
_READING = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}
#: Where the repository is, is said by the folder the user opened, not by a hook we may have been started from.
_INHERITED = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_SHALLOW_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF",
)
_PROGRESS_LINE = pattern(r"^(?:remote: )?(?P<phase>[A-Z][\w ]+): +\d+% \((?P<done>\d+)/(?P<total>\d+)\)")
#: No terminal to ask on, and one group to end with all its helpers.
_APART: dict[str, Any] = {"start_new_session": True}
_KILL: int = getattr(signal, "SIGKILL", signal.SIGTERM)
_GRACE = 1.0  # seconds between asking a cancelled git to end (it removes its locks) and killing it


@dataclass(frozen=True, slots=True)
class Done:
    """A git command that has ended."""

    status: int
    out: bytes
    err: str


class GitProgram:
    """git, run in `folder`. `trusted` lets the repository's hooks run in commands that write; `moment`, if
    set, is the time that commits and tags carry instead of now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trusted = False
        self.moment: datetime | None = None
        self.ask: Ask | None = None

    def run(
        self,
        *args: str,
        what: str,
        data: bytes = b"",
        ok: Collection[int] = (0,),
        writes: bool = False,
        env: Mapping[str, str] | None = None,
        literal: bool = True,
        progress: Progress = SILENT,
    ) -> bytes:
        """Run `git args` with `data` on stdin and return stdout.

        An exit status outside `ok` raises our error; `what` completes "Git could not …". `literal` takes
        paths as they are, not as patterns. Raises Cancelled when `progress` was cancelled before it ended.
        """
        return self.call(
            *args, what=what, data=data, ok=ok, writes=writes, env=env, literal=literal, progress=progress
        ).out

    def call(
        self,
        *args: str,
        what: str,
        data: bytes = b"",
        ok: Collection[int] = (0,),
        writes: bool = False,
        env: Mapping[str, str] | None = None,
        literal: bool = True,
        progress: Progress = SILENT,
    ) -> Done:
        """Like `run`, but also gives the exit status."""
        progress.check()
        switches = () if writes and self.trusted else (NO_HOOKS,)
        places = {} if writes else _READING
        with self._started(args, switches, {**places, **(env or {})}, literal, writes) as process:
            with progress.interrupting(lambda: _end(process)):
                out, err = process.communicate(data)
            return _done(process, out, err, what, ok, progress)

    @contextmanager
    def conversation(self, *args: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """A reading git that is asked and answers as long as the block lasts: yields (its stdin, its stdout)."""
        with self._started(args, (NO_HOOKS,), _READING, True, False) as process:
            assert process.stdin is not None and process.stdout is not None
            yield process.stdin, process.stdout

    def network(
        self,
        *args: str,
        what: str,
        switches: tuple[str, ...],
        ok: Collection[int] = (0,),
        progress: Progress = SILENT,
    ) -> Done:
        """Run a command that talks to a server: questions go to `ask`, its progress is noted on `progress`."""
        from modelkeep.core.engine.history_askpass import answering

        progress.check()
        hooks = () if self.trusted else (NO_HOOKS,)
        with (
            answering(self.ask) as questions,
            self._started(args, (*switches, *hooks), questions, True, True) as process,
            progress.interrupting(lambda: _end(process)),
        ):
            assert process.stdin is not None
            process.stdin.close()
            out, err = _listen(process, functools.partial(_note, progress))
            process.wait()
            return _done(process, out, err, what, ok, progress)

    @contextmanager
    def _started(
        self,
        args: tuple[str, ...],
        switches: tuple[str, ...],
        env: Mapping[str, str],
        literal: bool,
        changes: bool,
    ) -> Iterator[subprocess.Popen[bytes]]:
        command = [_executable(), "--no-pager", "-C", str(self.folder)]
        command += ["--literal-pathspecs"] if literal else []
        for switch in (*_SWITCHES, *switches):
            command += ["-c", switch]
        start = _start_by_gitpython if changes else _start
        process, _wrapper = start([*command, *args], {**_ENVIRONMENT, **_dates(self.moment), **env})
        try:
            yield process
        finally:
            _close(process)


Started = tuple[subprocess.Popen[bytes], object]  # GitPython's object ends the process when it is let go


def _start(command: list[str], env: Mapping[str, str]) -> Started:
    inherited = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env={**inherited, **env}, **_APART
    )
    return process, None


def _start_by_gitpython(command: list[str], env: Mapping[str, str]) -> Started:
    wrapper = _door().execute(command, istream=subprocess.PIPE, as_process=True, env=dict(env), **_APART)
    assert wrapper.proc is not None
    return wrapper.proc, wrapper


def _dates(moment: datetime | None) -> dict[str, str]:
    if moment is None:
        return {}
    text = moment.strftime("%Y-%m-%dT%H:%M:%S%z")
    return {"GIT_AUTHOR_DATE": text, "GIT_COMMITTER_DATE": text}


def _done(
    process: subprocess.Popen[bytes],
    out: bytes,
    err: bytes,
    what: str,
    ok: Collection[int],
    progress: Progress,
) -> Done:
    text = err.decode("utf-8", "replace")
    if progress.is_cancelled and process.returncode != 0:
        _signal(process, _KILL)  # a helper that outlived git has nobody left to work for
        raise Cancelled
    if process.returncode not in ok:
        raise explain(what, text)
    return Done(process.returncode, out, text)


@functools.cache
def _door() -> Git:
    try:
        from git.cmd import Git
    except ImportError as error:
        raise _not_installed() from error
    for name in _INHERITED:
        os.environ.pop(name, None)
    return Git()


@functools.cache
def _executable() -> str:
    import shutil

    found = shutil.which("git")
    if found is None:
        raise _not_installed()
    return os.path.abspath(found)


def _not_installed() -> GitCommandFailed:
    return GitCommandFailed(
        "Git is not installed.", cause="no git", hint="Install git (on Debian and Ubuntu: apt install git)."
    )


# -- ending --------------------------------------------------------------------------------------------


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process and its helpers to end, and kill them if they do not. Returns at once."""
    _signal(process, signal.SIGTERM)
    killer = threading.Timer(_GRACE, _signal, (process, _KILL))
    killer.daemon = True
    killer.start()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(OSError):  # it has ended by itself
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.terminate()


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()
    try:
        process.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        _signal(process, _KILL)
        process.wait()


# -- progress ------------------------------------------------------------------------------------------


def _listen(process: subprocess.Popen[bytes], said: Callable[[str], None]) -> tuple[bytes, bytes]:
    """Read both outputs to their end; `said` gets every line of stderr as it comes, \\r counting as an end."""
    assert process.stdout is not None and process.stderr is not None
    stdout = process.stdout
    out: list[bytes] = []
    reader = threading.Thread(target=lambda: out.append(stdout.read()), name="git-output", daemon=True)
    reader.start()
    kept: list[bytes] = []
    rest = b""
    while chunk := process.stderr.read1():  # type: ignore[attr-defined]  # a BufferedReader
        *lines, rest = re.split(rb"[\r\n]", rest + chunk)
        for line in lines:
            text = line.decode("utf-8", "replace")
            said(text)
            if not _PROGRESS_LINE.match(text):
                kept.append(line)
    reader.join()
    return b"".join(out), b"\n".join([*kept, rest])


def _note(progress: Progress, line: str) -> None:
    if found := _PROGRESS_LINE.match(line):
        progress.note(f"{found['phase']} {found['done']}/{found['total']}")
