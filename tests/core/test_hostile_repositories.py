"""What a repository brings along has no say outside of it: planted records, links, settings and servers."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import builders
import hostile
import hostile_cases
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.engine.history import History
from modelkeep.core.engine.statmemory import StatMemory
from modelkeep.core.errors import InvalidFile, ModelkeepError, Refused, UnsafePath
from modelkeep.core.project import Project
from modelkeep.core.workflows import data, publish, restore

HOOK = base64.b64encode(b"#!/bin/sh\ntouch marker\n").decode()


@pytest.fixture
def place(tmp_path: Path) -> hostile.Place:
    """A project with data, its storage, and a folder outside."""
    return hostile.make_place(tmp_path)


def opened(place: hostile.Place) -> Project:
    return Project.open(place.project, vault=MemoryVault())


# -- records -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [".git/hooks/post-checkout", ".git/config", ".dvc/config", "code.py", "../outside/precious.txt"]
)
@pytest.mark.parametrize("text", [HOOK, None], ids=["writes", "removes"])
def test_undo_puts_back_nothing_but_metafiles(place: hostile.Place, path: str, text: str | None) -> None:
    (place.project / "code.py").write_text("code")
    place.own("publish.json", hostile_cases.record(place, before={path: text}))
    before = builders.snapshot_of(place.project.parent)
    with pytest.raises(InvalidFile, match="other files than metafiles"):
        publish.undo(opened(place))
    assert builders.snapshot_of(place.project.parent) == before


@pytest.mark.parametrize(
    "paths", [["secret.env"], [".git/config"], ["../outside/precious.txt"], [".dvc/tmp/x"]]
)
def test_resume_commits_nothing_but_metafiles(place: hostile.Place, paths: list[str]) -> None:
    (place.project / "secret.env").write_text("KEY=1")
    head = builders.git(place.project, "rev-parse", "HEAD")
    place.own("publish.json", hostile_cases.record(place, commit_paths=paths, step="commit"))
    with pytest.raises(InvalidFile, match="other files"):
        publish.resume(opened(place))
    assert builders.git(place.project, "rev-parse", "HEAD") == head


def test_a_record_that_git_carries_is_not_ours(place: hostile.Place) -> None:
    place.own("publish.json", hostile_cases.record(place))
    builders.git(place.project, "add", "--force", ".dvc/tmp/modelkeep/publish.json")
    for call in (publish.unfinished, publish.undo, publish.resume):
        with pytest.raises(Refused, match="came with the repository"):
            call(opened(place))


def test_undo_moves_no_branch_to_where_the_commit_did_not_begin(place: hostile.Place) -> None:
    first = builders.git(place.project, "rev-parse", "HEAD~")
    builders.make_commit(place.project, {"a": "1"})
    head = builders.make_commit(place.project, {"a": "2"})
    place.own("publish.json", hostile_cases.record(place, commit=head, base=first))
    with pytest.raises(Refused, match="does not fit"):
        publish.undo(opened(place))
    assert builders.git(place.project, "rev-parse", "main") == head


def test_a_planted_record_brings_nothing_back_outside(place: hostile.Place) -> None:
    place.own("replaced/x.json", hostile_cases.kept(place, folder=str(place.outside)))
    before = hostile.canary(place.outside)
    with pytest.raises(Refused, match="outside of this project"):
        restore.bring_back(opened(place), "x")
    assert hostile.canary(place.outside) == before


def test_a_record_of_ones_own_export_is_followed(place: hostile.Place, tmp_path: Path) -> None:
    project = opened(place)
    builders.write_tree(tmp_path / "copy", {"model.bin": "mine"})
    version = project.git().resolve("v1")
    plan = restore.plan_restore(project, version, how=restore.How.FOLDER, folder=str(tmp_path / "copy"))
    restore.restore(project, plan, force=True)
    assert (tmp_path / "copy/model.bin").read_text() == "the model"
    restore.bring_back(project, restore.replaced(project)[0].id)
    assert (tmp_path / "copy/model.bin").read_text() == "mine"


# -- links ---------------------------------------------------------------------------------------------


def test_a_linked_gitignore_publishes_nothing_of_its_target(place: hostile.Place) -> None:
    place.link(".gitignore", place.outside / "precious.txt")
    (place.project / "new.bin").write_text("new")
    with pytest.raises(UnsafePath, match="symbolic link"):
        data.add(opened(place), ["new.bin"])
    assert (place.project / ".gitignore").is_symlink()


@pytest.mark.parametrize("relpath", [".dvc/tmp", ".dvc/tmp/modelkeep", ".dvc/tmp/modelkeep/stage"])
def test_folders_of_ours_behind_links_are_refused(place: hostile.Place, relpath: str) -> None:
    place.link(relpath, place.outside)
    (place.project / "model.bin").unlink()
    before = hostile.canary(place.outside)
    with pytest.raises(UnsafePath, match="symbolic link"):
        data.checkout(opened(place), force=True)
    assert hostile.canary(place.outside) == before


def test_the_staging_folder_is_not_emptied_through_a_link(place: hostile.Place) -> None:
    project = opened(place)
    place.link(".dvc/tmp/modelkeep", place.outside)  # after the project was opened
    (place.project / "model.bin").unlink()
    plan = project.workspace.plan_checkout(project.workspace.outputs().outputs)
    with pytest.raises(UnsafePath):
        project.workspace.run_checkout(plan)
    assert (place.outside / "stage/kept.txt").exists()


def test_the_memory_of_hashes_never_opens_a_link(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "stat.sqlite").symlink_to(tmp_path / "theirs")
    memory = StatMemory(tmp_path / "stat.sqlite")
    memory.remember(os.stat(tmp_path / "theirs"), "0" * 32, read_at=1 << 62)
    memory.save()
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


def test_no_remote_leads_into_git_through_a_link(place: hostile.Place) -> None:
    place.link("ways", ".git")
    builders.set_default_remote(place.project, "../ways/hooks")
    with pytest.raises(UnsafePath, match="no data may be stored"):
        data.push(opened(place))


def test_parents_swapped_for_links_lead_nowhere(place: hostile.Place) -> None:
    project, stop = opened(place), threading.Event()
    inner, aside = place.project / "data/sub", place.project / "aside"
    before = hostile.canary(place.outside)

    def flip() -> None:
        while not stop.is_set():
            try:
                inner.rename(aside)
                inner.symlink_to(place.outside)
                inner.unlink()
                aside.rename(inner)
            except OSError:
                builders.write_tree(place.project, {"data/sub/": ""})

    swapper = threading.Thread(target=flip)
    swapper.start()
    try:
        for number in range(25):
            (place.project / "data/a.txt").write_text(str(number))
            for call in (data.checkout, lambda one, **_: data.add(one, ["data"])):
                _try(lambda call=call: call(project, force=True))  # type: ignore[misc]
    finally:
        stop.set()
        swapper.join()
    assert hostile.canary(place.outside) == before


def _try(call: Callable[[], object]) -> None:
    try:
        call()
    except (ModelkeepError, OSError):
        return


# -- settings and servers ------------------------------------------------------------------------------


def test_a_local_config_that_git_carries_is_not_the_users(place: hostile.Place) -> None:
    (place.project / ".dvc/config.local").write_text(f"[cache]\n    dir = {place.outside}\n")
    assert opened(place).cache_folder == place.outside
    builders.git(place.project, "add", "--force", ".dvc/config.local")
    assert opened(place).cache_folder == place.project / ".dvc/cache"


@contextmanager
def web_server() -> Iterator[str]:
    """A server of one Git branch that also sets a cookie."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Set-Cookie", "evil=1; expires=Wed, 21 Oct 2037 07:28:00 GMT")
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(b"a" * 40 + b"\trefs/heads/main\n")

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/x.git"
        finally:
            server.shutdown()
            thread.join()


def test_a_server_writes_no_cookies_where_the_repository_says(place: hostile.Place) -> None:
    builders.git(place.project, "config", "http.cookieFile", str(place.outside / "marker"))
    builders.git(place.project, "config", "http.saveCookies", "true")
    with web_server() as url:
        builders.git(place.project, "remote", "add", "origin", url)
        history = History.open(place.project)
        with pytest.raises(Refused, match="waits for your word") as error:
            history.remote_has("origin", "refs/tags/v1")
    assert "savecookies" in error.value.detail
    assert not (place.outside / "marker").exists()
    assert any("cookiefile" in line for line in history.executables())


def test_hooks_of_a_folder_that_is_pushed_to_wait_for_trust(place: hostile.Place) -> None:
    evil = builders.make_repo(place.project / "evil.git", bare=True)
    marker = place.outside / "marker"
    (evil / "hooks/post-receive").write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    (evil / "hooks/post-receive").chmod(0o755)
    builders.git(place.project, "remote", "add", "origin", "./evil.git")
    history = History.open(place.project)
    with pytest.raises(Refused, match="starts programs"):
        history.push("origin", ("refs/heads/main:refs/heads/main",))
    assert not marker.exists()
    history.trusted = True
    history.push("origin", ("refs/heads/main:refs/heads/main",))
    assert marker.exists()
