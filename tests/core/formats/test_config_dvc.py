"""Our config bytes against those of real DVC."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelkeep.core.formats.config import edit_config

RealDvc = Callable[..., str]
BEFORE = """\
# a comment that DVC drops
[cache]
    type = reflink, copy
    Dir = ./x/../cache
['remote "Old"']
    url = ../../somewhere/../old   # trailing
    shared = group
[core]
    no_scm = True
['remote "quoted"']
    url = 'p#a"s s,1'
['remote "keyed"']
    url = ssh://h/p
    keyfile = ~/key
"""
OLD, NEW = 'remote "old"', 'remote "new"'


@pytest.mark.parametrize(
    ("args", "changes"),
    [
        (("remote", "add", "-d", "NEW", "ssh://h/p"), {(NEW, "url"): "ssh://h/p", ("core", "remote"): "new"}),
        (("remote", "modify", "old", "jobs", "4"), {(OLD, "jobs"): "4"}),
        (("remote", "modify", "old", "type", "hardlink,symlink"), {(OLD, "type"): "hardlink,symlink"}),
        (("remote", "modify", "--unset", "old", "shared"), {(OLD, "shared"): None}),
        (("remote", "remove", "old"), {(OLD, "url"): None, (OLD, "shared"): None}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_edits_have_dvcs_bytes(
    dvc_project: Path, real_dvc: RealDvc, args: tuple[str, ...], changes: dict[tuple[str, str], str | None]
) -> None:
    file = dvc_project / ".dvc/config"
    file.write_text(BEFORE)
    real_dvc(*args)
    assert edit_config(BEFORE.encode(), ".dvc/config", changes).decode() == file.read_bytes().decode()


def test_a_file_of_its_own_begins_as_dvc_begins_it(dvc_project: Path, real_dvc: RealDvc) -> None:
    (dvc_project / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    local = dvc_project / ".dvc/config.local"
    local.unlink(missing_ok=True)
    real_dvc("remote", "add", "--local", "r", "ssh://h/p")
    real_dvc("remote", "modify", "--local", "r", "password", 'it\'s a "secret", really#')
    section = 'remote "r"'
    ours = edit_config(b"", "config.local", {(section, "url"): "ssh://h/p"})
    ours = edit_config(ours, "config.local", {(section, "password"): 'it\'s a "secret", really#'})
    assert local.read_bytes() == ours
