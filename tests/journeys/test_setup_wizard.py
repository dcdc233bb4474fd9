"""From an empty folder to a first published version by the wizard, with a real mouse and keyboard on a real screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import builders
import servers
from desktop import Desktop, desktop, until
from journeys.test_window import quits
from modelkeep.gui import theme
from servers import PASSWORD, SshServer
from team import data_of, modelkeep

pytestmark = pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)
ACCENT = theme.LIGHT.accent


@pytest.fixture
def screen(tmp_path: Path, keyring: object) -> Iterator[Desktop]:
    """After the keyring, so that what is started here can use it."""
    with desktop(tmp_path / "pictures") as made:
        yield made


@pytest.fixture
def password(ssh_server: SshServer) -> Iterator[str]:
    """One that xdotool types without fail on a busy machine: of Hangul it may swallow a syllable."""
    plain = "quiet-garden-7"
    servers._run("chpasswd", text=f"{ssh_server.shell.user}:{plain}\n")
    yield plain
    servers._run("chpasswd", text=f"{ssh_server.shell.user}:{PASSWORD}\n")


@contextmanager
def start_page(screen: Desktop, log: Path) -> Iterator[str]:
    """The window without a project; at the end it must quit by itself and have warned of nothing."""
    with log.open("wb") as said:
        program = subprocess.Popen(
            [sys.executable, "-m", "modelkeep"],
            env=screen.environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        window = screen.window("Modelkeep")
        yield window
        until(lambda: quits(program, window, screen), "the window does not quit", 30)
        assert program.returncode == 0
    finally:
        program.kill()
        program.wait()
    assert log.read_text() == ""


def press(screen: Desktop, page: str) -> None:
    """Click the one thing to do next, in the window that has `page` in its title."""
    window = screen.window(page)
    screen.click(window, *screen.find(window, ACCENT, seconds=60))
    screen._do("mousemove", "4", "4")  # a button under the mouse has another colour


def test_the_wizard_publishes_a_first_version(
    ssh_server: SshServer, screen: Desktop, home: Path, tmp_path: Path, password: str
) -> None:
    (home / ".gitconfig").write_text("[init]\n    defaultBranch = main\n[user]\n    useConfigOnly = true\n")
    folder = tmp_path / "flowers"
    with start_page(screen, tmp_path / "window.log") as window:
        screen.find(window, ACCENT)  # it is painted
        screen.focus(window)
        screen.key("ctrl+k")
        screen.window("Command palette")
        screen.type("set up storage")
        screen.key("Return")

        screen.window("storage: Project")
        screen.type(str(folder))
        screen.key("alt+m")
        screen.type("Kim")
        screen.key("alt+e")
        screen.type("kim@example.org")
        press(screen, "storage: Project")
        press(screen, "storage: Kind")
        screen.window("storage: Address")
        screen.type(ssh_server.url(folder="wizard"))
        press(screen, "storage: Address")
        screen.window("storage: Login")
        screen.key("alt+p")
        press(screen, "storage: Login")

        screen.window("Unknown server")
        screen.key("alt+e")
        screen.type(ssh_server.fingerprint())
        screen.key("alt+t")
        screen.window("Log in")
        screen.type(password)
        screen.key("Return")
        until(lambda: screen.is_gone("Log in"), "the password is not taken", 30)
        press(screen, "storage: Live test")
        press(screen, "storage: Write")
        builders.write_tree(folder, {"data/a.csv": "1\n2\n", "data/꽃.txt": "flower\n"})
        press(screen, "storage: Done")

        screen.window("Add data")
        screen.key("alt+o")
        screen.window("Choose a folder")
        screen.key("ctrl+a")
        screen.type(str(folder / "data"))
        screen.key("Return")
        press(screen, "Add data")
        screen.window("Publish version")
        screen.key("Tab")
        screen.type("The first flowers")
        press(screen, "Publish version")
        until(lambda: builders.git(folder, "tag").split(), "nothing is published", 30)
        assert screen.is_gone("Publish version")
    (tag,) = builders.git(folder, "tag").split()
    assert builders.git(folder, "log", "-1", "--format=%an", tag).strip() == "Kim"
    wanted = data_of(folder)
    builders.git(tmp_path, "clone", "--quiet", str(folder), "colleague")
    modelkeep("pull", cwd=tmp_path / "colleague")
    assert data_of(tmp_path / "colleague") == wanted
    for place in (tmp_path, home, ssh_server.shell.folder):
        told = [one for one in place.rglob("*") if one.is_file() and password.encode() in one.read_bytes()]
        assert not told
