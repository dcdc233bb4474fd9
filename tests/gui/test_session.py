"""The session: opening, what it reads, outside changes, writes that tell everybody."""

from __future__ import annotations

import builders
from modelkeep.core.errors import NotAProject, Refused
from modelkeep.core.values import WORKSPACE, Change, Where
from modelkeep.core.workflows import data
from modelkeep.gui.session import Session


def version(session: Session, name: str):
    return next(one for one in session.facts.versions.all() if one.name == name)


def test_opening_reads_versions_contents_and_presence(opened, flowers):
    facts = opened.facts
    assert [tag.name for tag in facts.versions.tags if tag.gto is None] == ["v1.1", "v1.0"]
    assert {out.path for out in facts.snapshot(version(opened, "v1.0")).outputs} == {"images", "model.onnx"}
    assert facts.presence(version(opened, "v1.0")).where is Where.BOTH
    assert facts.presence(version(opened, "v1.1")).where is Where.HERE
    assert facts.only_here == 2
    assert flowers in opened.remembered.recent


def test_a_folder_that_is_no_project_is_a_problem_and_changes_nothing(opened, tmp_path, rest):
    (tmp_path / "other").mkdir()
    before = opened.project
    opened.open(tmp_path / "other")
    rest(opened)
    assert isinstance(opened.problems[0], NotAProject)
    assert opened.project is before


def test_the_version_before_is_of_the_same_family(opened):
    facts = opened.facts
    assert facts.previous(version(opened, "v1.1")).name == "v1.0"
    assert facts.previous(version(opened, "v1.0")) is None
    assert facts.previous(version(opened, "model@v2.0.0")) is None
    assert facts.previous(WORKSPACE).is_head


def test_a_tag_made_in_a_terminal_appears_by_itself(opened, flowers, qtbot):
    builders.make_tag(flowers, "v9.9", "By hand")
    qtbot.waitUntil(lambda: "v9.9" in [tag.name for tag in opened.facts.versions.tags], timeout=8_000)


def test_a_metafile_changed_outside_appears_by_itself(opened, flowers, qtbot):
    builders.track_file(flowers, "extra.csv", "a,b\n")
    qtbot.waitUntil(lambda: opened.facts.snapshot(WORKSPACE).find("extra.csv") is not None, timeout=8_000)


def test_our_own_write_is_told_once_and_not_as_an_outside_change(opened, qtbot, rest):
    told = []
    opened.changed.connect(told.append)
    project = opened.project
    job = opened.write("Add", lambda progress: data.add(project, ["model.onnx"], progress=progress))
    rest(opened)
    qtbot.wait(2500)
    assert told == [job.result.what]
    assert opened.facts.only_here == 2


def test_a_change_outside_is_told_once(opened, flowers, qtbot):
    told = []
    opened.watcher.changed.connect(lambda: told.append(1))
    builders.track_file(flowers, "extra.csv", "a,b\n")
    qtbot.waitUntil(lambda: told == [1], timeout=8_000)
    qtbot.wait(3500)
    assert told == [1]


def test_a_write_that_fails_is_a_problem_and_everything_is_read_again(opened, rest):
    told = []
    opened.changed.connect(told.append)

    def work(progress):
        raise Refused("not now")

    opened.write("Fail", work)
    rest(opened)
    assert [str(one) for one in opened.problems] == ["not now"]
    assert Change.EVERYTHING in told


def test_selecting_tells_once(opened):
    told = []
    opened.selected.connect(lambda: told.append(opened.version))
    wanted = version(opened, "v1.0")
    opened.select(wanted)
    opened.select(wanted)
    assert told == [wanted]


def test_closing_forgets_the_project(opened, qtbot):
    with qtbot.waitSignal(opened.closed):
        opened.close()
    assert opened.project is None and opened.facts is None and opened.version == WORKSPACE


def test_answers_for_a_closed_project_are_dropped(opened, flowers, rest, qtbot):
    opened.refresh()
    with qtbot.waitSignal(opened.opened, timeout=10_000):
        opened.open(flowers)
    rest(opened)
    assert opened.problems == []
    assert opened.facts.presence(version(opened, "v1.0")).where is Where.BOTH


def test_a_password_in_the_config_and_hooks_are_concerns(session, flowers, rest, qtbot):
    builders.set_default_remote(flowers, "ssh://bob@lab.example.org/store", password="hunter2")
    with qtbot.waitSignal(session.opened, timeout=10_000):
        session.open(flowers)
    assert session.concerns.secrets
    assert "hunter2" not in repr(session.concerns)
