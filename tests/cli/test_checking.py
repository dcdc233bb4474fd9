"""What the command line says of old secrets and changed addresses, to people and to programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import builders
from modelkeep.cli import main

LAB = "['remote \"lab\"']\n    url = ssh://me@127.0.0.1:1/srv\n"
Capture = pytest.CaptureFixture[str]


def run(project: Path, capsys: Capture, *words: str, expect: int = 0) -> Any:
    """The one JSON document that a command prints."""
    code = main(["-C", str(project), *words, "--json"], lambda *_: 0)
    said = capsys.readouterr()
    assert code == expect, said
    return json.loads(said.out or said.err)


def test_the_doctor_ends_with_1_where_something_is_wrong(project: Path, capsys: Capture) -> None:
    found = run(project, capsys, "doctor")
    assert found["ok"] and set(found["checks"][0]) == {"key", "title", "state", "text", "advice"}
    builders.make_commit(project, {".dvc/config": LAB + "    password = canary\n"}, "Oh")
    found = run(project, capsys, "doctor", expect=1)
    assert not found["ok"] and "canary" not in json.dumps(found)
    assert {one["key"] for one in found["checks"] if one["state"] == "problem"} == {"secrets"}
    assert main(["-C", str(project), "doctor"], lambda *_: 0) == 1
    said = capsys.readouterr().out
    assert (
        "PROBLEM  Secrets in config files: The password of the remote lab" in said
        and "login --migrate" in said
    )


def test_a_changed_address_is_taken_by_its_name(project: Path, tmp_path: Path, capsys: Capture) -> None:
    builders.track_file(project, "a.bin", "a")
    for name in ("one", "two"):
        builders.set_default_remote(project, str(tmp_path / name), "store")
        if name == "two":
            refused = run(project, capsys, "push", expect=3)
            assert refused["error"] == "AddressChanged" and not (tmp_path / name).exists()
            assert f"modelkeep remote trust store --address {tmp_path / name}" in refused["hint"]
            run(project, capsys, "remote", "trust", "store", "--address", str(tmp_path / name))
        assert run(project, capsys, "push")["files"] == 1


def test_what_modelkeep_changes_itself_is_no_question(project: Path, tmp_path: Path, capsys: Capture) -> None:
    builders.track_file(project, "a.bin", "a")
    run(project, capsys, "remote", "add", "-d", "store", str(tmp_path / "one"))
    run(project, capsys, "push")
    run(project, capsys, "remote", "modify", "store", "url", str(tmp_path / "two"))
    assert run(project, capsys, "push")["files"] == 1
    run(project, capsys, "remote", "add", "-d", "other", str(tmp_path / "three"))
    assert run(project, capsys, "push")["files"] == 1


def test_another_setting_does_not_take_a_changed_address_along(
    project: Path, tmp_path: Path, capsys: Capture
) -> None:
    builders.track_file(project, "a.bin", "a")
    run(project, capsys, "remote", "add", "-d", "store", str(tmp_path / "one"))
    builders.set_default_remote(project, str(tmp_path / "theirs"), "store")
    run(project, capsys, "remote", "modify", "store", "jobs", "4")
    run(project, capsys, "remote", "default", "store")
    assert run(project, capsys, "push", expect=3)["error"] == "AddressChanged"


def test_old_passwords_are_listed_and_tried_at_their_server(project: Path, capsys: Capture) -> None:
    assert run(project, capsys, "login", "--check-old") == []
    builders.make_commit(project, {".dvc/config": LAB + "    password = canary\n"}, "Oh")
    (found,) = run(project, capsys, "login", "--check-old")
    assert found["still_works"] is None and "not tried" in found["reason"] and found["file"] == ".dvc/config"
    assert run(project, capsys, "login", "--migrate", expect=1)["error"] == "KeyringUnavailable"
