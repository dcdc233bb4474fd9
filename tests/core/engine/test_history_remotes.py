"""Git remotes: push all or none, fetch, clone, addresses that are refused, and passwords that stay private."""

from __future__ import annotations

import base64
import http.server
import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine.history import History
from modelkeep.core.engine.history_askpass import answering
from modelkeep.core.engine.history_errors import GitCommandFailed, explain, redact
from modelkeep.core.errors import Busy, ConnectionLost, NotFound, Refused, UnsavedChanges, UsageError
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.values import Secret

git = builders.git
MAIN = "refs/heads/main:refs/heads/main"


@pytest.fixture
def history(git_repo: Path, git_remote: Path) -> History:
    builders.make_commit(git_repo, {"a.dvc": "1\n"}, "start")
    git(git_repo, "remote", "add", "origin", str(git_remote))
    return History.open(git_repo)


def test_push_and_ask(history: History, git_remote: Path) -> None:
    head = history.head()[1]
    tag = history.tag("v1", "one", head)
    progress = Progress()
    updates = history.push("origin", (MAIN, "refs/tags/v1:refs/tags/v1"), progress)
    assert [(one.flag, one.target, one.refused) for one in updates] == [
        ("*", "refs/heads/main", False),
        ("*", "refs/tags/v1", False),
    ]
    assert "Writing objects" in progress.reading().note
    assert history.remote_has("origin", "refs/tags/v1") == tag
    assert history.remote_has("origin", "refs/tags/v") is None
    assert git(git_remote, "rev-parse", "refs/heads/main") == head
    assert [one.flag for one in history.push("origin", (MAIN,))] == ["="]


def test_push_behind_is_refused_whole(history: History, git_remote: Path, tmp_path: Path) -> None:
    history.push("origin", (MAIN,))
    other = History.clone(str(git_remote), tmp_path / "other")
    builders.make_commit(other.folder, {"b.dvc": "1\n"}, "theirs")
    other.push("origin", (MAIN,))
    sha = builders.make_commit(history.folder, {"c.dvc": "1\n"}, "ours")
    history.tag("v2", "two", sha)
    with pytest.raises(GitCommandFailed) as caught:
        history.push("origin", (MAIN, "refs/tags/v2:refs/tags/v2"))
    assert caught.value.cause == "behind" and "main" in caught.value.title and "git pull" in caught.value.hint
    assert history.remote_has("origin", "refs/tags/v2") is None
    history.fetch("origin")
    assert history.resolve("origin/main").commit == other.head()[1]


def test_push_of_a_name_the_remote_has(history: History, tmp_path: Path, git_remote: Path) -> None:
    head = history.head()[1]
    history.tag("v1", "mine", head)
    history.push("origin", (MAIN, "refs/tags/v1:refs/tags/v1"))
    history.delete_tag("v1")
    history.tag("v1", "another", head)
    with pytest.raises(GitCommandFailed) as caught:
        history.push("origin", ("refs/tags/v1:refs/tags/v1",))
    assert caught.value.cause == "name taken" and "v1" in caught.value.title


def test_push_refused_by_the_servers_hook(history: History, git_remote: Path) -> None:
    hook = git_remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho no pushing on Sunday >&2\nexit 1\n")
    hook.chmod(0o755)
    history.trusted = True  # a folder runs its hooks here, which needs the user's word
    with pytest.raises(GitCommandFailed) as caught:
        history.push("origin", (MAIN,))
    assert caught.value.cause == "hook" and "no pushing on Sunday" in caught.value.detail


@pytest.mark.parametrize(
    "spec",
    ["main", "main:main", "+refs/heads/main:refs/heads/main", ":refs/heads/main", "--all", "refs/*:refs/*"],
)
def test_only_full_names_are_pushed(history: History, spec: str) -> None:
    with pytest.raises(UsageError):
        history.push("origin", (spec,))


@pytest.mark.parametrize("name", ["--upload-pack=touch x", "-x", "nowhere", "/tmp", "https://example.org/x"])
def test_only_configured_remotes_are_talked_to(history: History, name: str) -> None:
    for call in (lambda: history.fetch(name), lambda: history.push(name, (MAIN,))):
        with pytest.raises(NotFound):
            call()


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% marker",
        "git://127.0.0.1/x",
        "-u",
        "--upload-pack=touch marker",
        "fd::3",
        "foo::bar",
        "ssh://-oProxyCommand=touch/x",
        "-oProxyCommand=x:y",
        "user@-oProxyCommand=x:y",
        "https://u:pw@host/x",
        "https://host/\x1b[31m",
        "gopher://x/y",
        "",
    ],
)
def test_addresses_that_are_refused(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused) as caught:
        History.clone(url, tmp_path / "new")
    assert "pw" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_remote_redirected_to_a_refused_address(history: History) -> None:
    git(history.folder, "config", "url.ext::sh -c touch% marker;.insteadOf", "/")
    for call in (lambda: history.fetch("origin"), lambda: history.remote_has("origin", "refs/heads/main")):
        with pytest.raises(Refused, match="not allowed"):
            call()


def test_clone_into_a_folder_with_content(tmp_path: Path, git_remote: Path) -> None:
    builders.write_tree(tmp_path / "full", {"a": "1"})
    with pytest.raises(Refused, match="not empty"):
        History.clone(str(git_remote), tmp_path / "full")


def test_server_that_is_not_there(history: History) -> None:
    git(history.folder, "config", "remote.origin.url", "http://127.0.0.1:1/x.git")
    with pytest.raises(ConnectionLost):
        history.fetch("origin")
    git(history.folder, "config", "remote.origin.url", str(history.folder / "nowhere"))
    with pytest.raises(GitCommandFailed) as caught:
        history.fetch("origin")
    assert caught.value.cause == "not found"


# -- questions -----------------------------------------------------------------------------------------


class _Guarded(http.server.BaseHTTPRequestHandler):
    """Asks for a login, counts who came with which, and has no repository."""

    seen: list[str]

    def do_GET(self) -> None:
        login = self.headers.get("Authorization", "")
        self.server.seen.append(login)  # type: ignore[attr-defined]
        self.send_response(404 if login else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def guarded() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Guarded)
    server.seen = []  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_git_asks_us_for_the_password(
    history: History, guarded: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    git(history.folder, "config", "remote.origin.url", f"http://127.0.0.1:{guarded.server_port}/x.git")
    prompts: list[str] = []

    def ask(prompt: str) -> Secret | None:
        prompts.append(prompt)
        return Secret("alice" if prompt.startswith("Username") else "pw-한글 '$x")

    history.ask = ask
    with pytest.raises(GitCommandFailed):
        history.fetch("origin")
    assert [prompt.split(" ")[0] for prompt in prompts] == ["Username", "Password"]
    sent = guarded.seen[-1].removeprefix("Basic ")  # type: ignore[attr-defined]
    assert base64.b64decode(sent).decode() == "alice:pw-한글 '$x"
    history.ask = lambda _: None
    with pytest.raises(GitCommandFailed) as caught:
        history.fetch("origin")
    assert caught.value.cause == "authentication failed"
    history.ask = None
    with pytest.raises(GitCommandFailed) as caught:
        history.fetch("origin")
    assert caught.value.cause == "authentication failed"


def test_the_repositorys_credential_helper_is_not_asked(
    history: History,
    guarded: http.server.ThreadingHTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    address = f"http://127.0.0.1:{guarded.server_port}"
    git(history.folder, "config", "remote.origin.url", f"{address}/x.git")
    for key in ("credential.helper", f"credential.{address}.helper", f"credential.{address}/x.git.helper"):
        git(history.folder, "config", key, f"!touch {tmp_path}/evil; true")
    builders.run("git", "config", "--global", "credential.helper", f"!touch {tmp_path}/mine; true")
    with pytest.raises(GitCommandFailed):
        history.fetch("origin")
    assert (tmp_path / "mine").exists() and not (tmp_path / "evil").exists()


def test_the_place_where_secrets_are_answered_is_private(tmp_path: Path) -> None:
    with answering(lambda prompt: Secret(prompt.upper())) as env:
        program = Path(env["GIT_ASKPASS"])
        folder = program.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o600
        run = {**os.environ, **env}
        done = subprocess.run([program, "tell me"], env=run, capture_output=True, check=True)
        assert done.stdout == b"TELL ME\n"
        note = subprocess.run(
            [program, "touch"], env={**run, "SSH_ASKPASS_PROMPT": "none"}, capture_output=True, check=True
        )
        assert note.stdout == b""
        (folder / "word").write_bytes(b"w" * 32)  # somebody who does not know the word
        assert subprocess.run([program, "x"], env=run, capture_output=True, check=False).returncode == 1
    assert not folder.exists()


def test_the_users_own_ssh_is_used_and_the_repositorys_is_not(history: History, tmp_path: Path) -> None:
    git(history.folder, "config", "remote.origin.url", "ssh://host.invalid/x")
    git(history.folder, "config", "core.sshCommand", f"touch {tmp_path}/evil;")
    builders.run("git", "config", "--global", "core.sshCommand", f"touch {tmp_path}/mine;")
    with pytest.raises((GitCommandFailed, ConnectionLost)):
        history.fetch("origin")
    assert (tmp_path / "mine").exists() and not (tmp_path / "evil").exists()


# -- cancel --------------------------------------------------------------------------------------------


def is_running(pid: str) -> bool:
    """Whether the process is alive; one that ended but was not collected yet is not."""
    for _ in range(20):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.01)
    return True


def test_cancel_ends_git_and_its_helpers(history: History, tmp_path: Path) -> None:
    script = tmp_path / "slow-ssh"
    script.write_text(f"#!/bin/sh\ntrap '' TERM\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    script.chmod(0o755)
    builders.run("git", "config", "--global", "core.sshCommand", str(script))
    git(history.folder, "config", "remote.origin.url", "ssh://host.invalid/x")
    progress = Progress()
    begun = []

    def cancel() -> None:
        for _ in range(500):
            if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip():
                break
            time.sleep(0.01)
        begun.append(time.monotonic())
        progress.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Cancelled):
        history.fetch("origin", progress)
    canceller.join()
    assert time.monotonic() - begun[0] < 2
    assert not is_running((tmp_path / "pid").read_text().strip())


# -- words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stderr", "kind", "cause"),
    [
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            None,
            "host key changed",
        ),
        ("Host key verification failed.\nfatal: Could not read from remote", None, "host key unknown"),
        ("git@h: Permission denied (publickey).", None, "authentication failed"),
        ("fatal: Authentication failed for 'https://u:pw@h/x'", None, "authentication failed"),
        (" ! [rejected] main -> main (fetch first)", None, "behind"),
        ("fatal: tag 'v1' already exists", None, "name taken"),
        ("*** Please tell me who you are.", None, "no identity"),
        ("fatal: unable to auto-detect email address", None, "no identity"),
        ("fatal: Unable to create '/r/.git/index.lock': File exists.", Busy, ""),
        ("fatal: detected dubious ownership in repository at '/r/a b'", None, "dubious ownership"),
        ("ssh: Could not resolve hostname h: Name or service not known", ConnectionLost, ""),
        (
            "error: Your local changes to the following files would be overwritten by checkout:\n\ta b\n",
            UnsavedChanges,
            "",
        ),
        ("something new", None, ""),
    ],
)
def test_what_git_says_in_words_for_people(stderr: str, kind: type | None, cause: str) -> None:
    error = explain("do it", stderr)
    assert isinstance(error, kind or GitCommandFailed)
    assert getattr(error, "cause", "") == cause
    assert "pw" not in str(error) and error.title


def test_dubious_ownership_names_the_fix() -> None:
    error = explain("x", "fatal: detected dubious ownership in repository at '/r/a b'")
    assert error.hint.endswith("git config --global --add safe.directory '/r/a b'")


def test_credentials_in_addresses_are_hidden(history: History) -> None:
    assert (
        redact("https://tok@h/x ssh://u:pw@h/y ssh://git@h/z") == "https://…@h/x ssh://u:…@h/y ssh://git@h/z"
    )
    git(history.folder, "config", "remote.origin.url", "https://u:pw@127.0.0.1:1/x")
    assert history.remotes() == {"origin": "https://…@127.0.0.1:1/x"}
    with pytest.raises(ConnectionLost) as caught:
        history.fetch("origin")
    assert "pw" not in str(caught.value)
