"""Choices and memories: kept apart, written whole, and no damaged file stops the program."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from modelkeep.core.errors import StoreFailed
from modelkeep.core.settings import KnownAddresses, Remembered, Settings, config_folder, state_folder


def test_choices_and_memories_come_back_from_two_files(tmp_path: Path) -> None:
    settings, remembered = Settings.load(), Remembered.load()
    assert settings.theme == "system" and remembered.recent == ()
    settings.theme = "dark"
    settings.set_trusted(tmp_path, True)
    for name in ("one", "two", "one"):
        remembered.add_recent(tmp_path / name)
    remembered.put("window", {"width": 1280})
    remembered.save()
    assert Settings.load().theme == "dark" and Settings.load().is_trusted(tmp_path)
    assert Remembered.load().recent == (tmp_path / "one", tmp_path / "two")
    assert Remembered.load().get("window") == {"width": 1280}
    files = sorted(path.name for path in config_folder().iterdir())
    assert files == ["remembered.json", "settings.json"] and config_folder() == state_folder()
    assert (config_folder() / "settings.json").stat().st_mode & 0o777 == 0o600


def test_trust_is_for_the_real_folder_and_can_be_taken_back(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    settings = Settings.load()
    settings.set_trusted(tmp_path / "link", True)
    assert settings.is_trusted(real) and not settings.is_trusted(tmp_path)
    settings.set_trusted(real, False)
    assert not Settings.load().is_trusted(real)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'"text"'])
def test_a_damaged_file_is_kept_aside_and_the_defaults_are_used(damage: bytes) -> None:
    folder = config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_bytes(damage)
    settings = Settings.load()
    assert settings.theme == "system" and settings.trusted == ()
    assert (folder / "settings.json.bad").read_bytes() == damage
    settings.theme = "light"
    settings.save()
    assert Settings.load().theme == "light"


def test_wrong_entries_are_passed_over_and_unknown_ones_are_kept() -> None:
    folder = config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    entries = {"version": 9, "theme": 7, "trusted": "x", "recent": [1], "later": {"a": [1]}}
    (folder / "settings.json").write_text(json.dumps(entries))
    settings = Settings.load()
    assert settings.theme == "system" and settings.trusted == ()
    settings.theme = "dark"
    settings.save()
    saved = json.loads((folder / "settings.json").read_text())
    assert saved["later"] == {"a": [1]} and saved["theme"] == "dark"


def test_a_failed_save_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load()
    settings.theme = "dark"
    settings.save()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    settings.theme = "light"
    with pytest.raises(StoreFailed, match="no space left"):
        settings.save()
    assert Settings.load().theme == "dark" and len(list(config_folder().iterdir())) == 1


def test_without_an_override_the_systems_folders_are_used(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELKEEP_HOME")
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert config_folder() == home / ".config/modelkeep"
        assert state_folder() == home / ".local/state/modelkeep"
    assert config_folder() != state_folder()


def test_addresses_are_known_by_project_and_remote_the_last_used_one_first(tmp_path: Path) -> None:
    for address in ("a", "b", "a"):
        KnownAddresses.accept(tmp_path, "lab", address)
    KnownAddresses.accept(tmp_path, "lab", "old", used=False)
    (tmp_path / "other").mkdir()
    KnownAddresses.accept(tmp_path / "other", "lab", "x")
    assert KnownAddresses.load().of(tmp_path, "lab") == ("a", "old", "b")
    assert KnownAddresses.load().of(tmp_path / "other", "lab") == ("x",)
    assert KnownAddresses.load().of(tmp_path, "none") == ()
    for number in range(40):
        KnownAddresses.accept(tmp_path, "lab", str(number))
    assert len(KnownAddresses.load().of(tmp_path, "lab")) == 20
    (state_folder() / "addresses.json").write_text(json.dumps({"version": 1, str(tmp_path): 7}))
    assert KnownAddresses.load().of(tmp_path, "lab") == ()
    KnownAddresses.accept(tmp_path, "lab", "new")
    assert KnownAddresses.load().of(tmp_path, "lab") == ("new",)


def test_the_projects_that_were_used_least_are_forgotten_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelkeep.core.settings._PROJECTS", 4)
    for name in ("z", "y"):
        KnownAddresses.accept(tmp_path / name, "lab", name)
    for name in ("a", "b", "c", "d"):
        if KnownAddresses.load().is_fading(tmp_path / "z"):
            KnownAddresses.accept(tmp_path / "z", "lab", "z")
        KnownAddresses.accept(tmp_path / name, "lab", name)
    left = [name for name in "zyabcd" if KnownAddresses.load().of(tmp_path / name, "lab")]
    assert left == ["z", "b", "c", "d"]


def test_programs_that_learn_addresses_at_once_lose_none(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=KnownAddresses.accept, args=(tmp_path, f"r{number}", "x"))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [KnownAddresses.load().of(tmp_path, f"r{number}") for number in range(8)] == [("x",)] * 8
