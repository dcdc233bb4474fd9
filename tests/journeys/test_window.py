"""The seed workflow in the window, with a real mouse and keyboard on a real screen that nobody sees."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import builders
from desktop import Desktop, desktop, until
from modelkeep.gui import theme
from servers import PASSWORD, SshServer
from team import World, change_data, data_of, modelkeep


@pytest.fixture
def screen(tmp_path: Path, keyring: object) -> Iterator[Desktop]:
    """After the keyring, so that what is started here can use it."""
    with desktop(tmp_path / "pictures") as made:
        yield made


@contextmanager
def window_on(project: Path, screen: Desktop, log: Path) -> Iterator[str]:
    """The main window on a project; at the end it must quit by itself and have warned of nothing."""
    command = [sys.executable, "-m", "modelkeep", "open", str(project)]
    with log.open("wb") as said:
        program = subprocess.Popen(
            command, env=screen.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        window = screen.window("project")
        yield window
        until(lambda: quits(program, window, screen), "the window does not quit", 30)
        assert program.returncode == 0
    finally:
        program.kill()
        program.wait()
    assert log.read_text() == ""


def quits(program: subprocess.Popen[bytes], window: str, screen: Desktop) -> bool:
    """Ask the window to quit; where it says that work is going on, stay and let it finish."""
    if not screen.is_gone("Work is going on"):
        screen.key("Escape")
    screen.focus(window)
    screen.key("ctrl+q")
    with suppress(subprocess.TimeoutExpired):
        program.wait(4)
    return program.poll() is not None


def test_publish_by_mouse_and_keyboard(
    world: World, ssh_server: SshServer, screen: Desktop, tmp_path: Path
) -> None:
    world.run("remote", "add", "-d", "lab", ssh_server.url(folder="window"))
    world.run("remote", "trust", "lab", "--fingerprint", ssh_server.fingerprint())
    world.run("login", "lab", "--password-stdin", stdin=PASSWORD + "\n")
    wanted = change_data(world.project)
    accent = theme.LIGHT.accent
    with window_on(world.project, screen, tmp_path / "window.log") as window:
        screen.click(window, *screen.find(window, accent, above=60))  # in the header
        dialog = screen.window("Publish version")
        screen.key("ctrl+a")
        screen.type("v1.1")
        screen.key("Tab")
        screen.type("Flowers for everybody")
        screen.click(dialog, *screen.find(dialog, accent))
        until(lambda: "v1.1" in builders.git(world.origin, "tag").split(), "v1.1 is not published", 30)
        assert screen.is_gone("Publish version")
    assert (
        builders.git(world.origin, "tag", "--list", "--format=%(contents:subject)", "v1.1")
        == "Flowers for everybody"
    )
    builders.git(tmp_path, "clone", "--quiet", str(world.origin), "colleague")
    modelkeep("pull", cwd=tmp_path / "colleague")
    assert data_of(tmp_path / "colleague") == wanted
