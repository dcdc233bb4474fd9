"""GTO tags mean what `gto` says they mean (§9): the latest version, stages, rollbacks, what is taken back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

import builders
from interop.projects import opened
from modelkeep.core.workflows import registry


class Tagger:
    """Makes annotated tags, each a second later than the one before."""

    def __init__(self, repo: Path) -> None:
        self.repo = repo
        self._second = int(time.time())  # after the commits, as it is in life

    def __call__(self, *names: str, at: str = "HEAD") -> None:
        for name in names:
            self._second += 1
            moment = {"GIT_COMMITTER_DATE": f"{self._second} +0000"}
            builders.run("git", "tag", "--annotate", "-m", name, name, at, cwd=self.repo, env=moment)


@pytest.fixture
def tag(project: Path) -> Tagger:
    """Four commits `c0` to `c3` to tag."""
    for number in range(4):
        builders.make_commit(project, {"code": str(number)}, f"Commit {number}")
        builders.git(project, "branch", f"c{number}")
    return Tagger(project)


def shown_by_gto(dvc_program: Path, repo: Path) -> dict[str, Any]:
    """What `gto show` lists, active or not."""
    text = builders.run(dvc_program.parent / "gto", "show", "--json", "--deprecated", cwd=repo)
    return {
        name: (facts["version"] or "", {s: v for s, v in facts["stage"].items() if v}, facts["active"])
        for name, facts in json.loads(text).items()
    }


def ours(repo: Path) -> dict[str, Any]:
    with opened(repo) as project:
        found = registry.artifacts(project.git().versions().tags)
    return {one.name: (one.latest, dict(one.stages), one.is_active) for one in found}


def test_10_2_38_every_rule_in_one_repository(tag: Tagger, dvc_program: Path) -> None:
    tag("m@v0.0.1", at="c0")
    tag("m@v1.0.0", "m#prod#1", at="c1")
    tag("m#prod#2", at="c0")  # a rollback: the stage goes by time
    tag("back@v0.0.1", at="c0")
    tag("back@v1.0.0", "back#prod#1", at="c1")
    tag("back#prod#2", "back#prod!#3", at="c0")  # taken away: the one before has it again
    tag("sub=mm@v0.0.1", "sub=mm#dev#1", "sub=mm#prod#2", at="c2")
    tag("many@v1.2.0", at="c0")
    tag("many@v1.10.0", at="c1")
    tag("many@v2.0.0-rc.1", at="c2")
    tag("taken@v1.0.0", at="c0")
    tag("taken@v2.0.0", "taken@v2.0.0!", at="c1")
    tag("old@v1.0.0", "old@deprecated", at="c0")
    tag("again@v1.0.0", "again@deprecated", at="c0")
    tag("again@v1.1.0", at="c1")
    tag("two/words-x_y@v0.1.0", "two/words-x_y#dev", "two/words-x_y#prod", at="c3")
    tag("gone@v1.0.0", "gone#prod#1", "gone#prod!#2", at="c0")
    builders.git(tag.repo, "tag", "lw@v1.0.0", "c0")
    tag("v1.0.0", "no@1.2.3", "m@v1", at="c3")
    found = ours(tag.repo)
    assert found == shown_by_gto(dvc_program, tag.repo)
    assert found["m"] == ("v1.0.0", {"prod": "v0.0.1"}, True)
    assert found["back"][1] == {"prod": "v1.0.0"}
    assert found["sub:mm"] == ("v0.0.1", {"dev": "v0.0.1", "prod": "v0.0.1"}, True)
    assert found["many"][0] == "v2.0.0-rc.1" and found["taken"][0] == "v1.0.0"
    assert not found["old"][2] and found["again"][2]
    assert "lw" not in found


def test_10_2_38_a_stage_of_a_commit_without_a_version(tag: Tagger, dvc_program: Path) -> None:
    tag("bare#dev#1", at="c2")
    assert ours(tag.repo) == shown_by_gto(dvc_program, tag.repo)


def test_10_2_38_what_gto_itself_tags_is_read(tag: Tagger, dvc_program: Path) -> None:
    """The forms that `gto` writes, and that ours lists for people."""
    gto = dvc_program.parent / "gto"
    builders.run(gto, "register", "m", cwd=tag.repo)
    builders.run(gto, "assign", "m", "--stage", "dev", cwd=tag.repo)
    assert ours(tag.repo) == shown_by_gto(dvc_program, tag.repo) == {"m": ("v0.0.1", {"dev": "v0.0.1"}, True)}
