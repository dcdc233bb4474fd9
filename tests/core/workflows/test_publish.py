"""Publishing: the order of the steps, what is in the way, and coming back from every interruption."""

from __future__ import annotations

import shutil

import pytest

import builders
from modelkeep.core.errors import GitFailed, MissingObjects, NoRemote, Refused
from modelkeep.core.progress import SILENT, Cancelled, Progress
from modelkeep.core.project import Project
from modelkeep.core.workflows import data, review
from modelkeep.core.workflows import publish as publishing
from modelkeep.core.workflows.publish import plan_publish, publish, resume, undo, unfinished


def first(project: Project, version: str = "v1.0") -> None:
    data.add(project, ["data", "model.bin"])
    publish(project, plan_publish(project, version, f"Publish {version}"))


def test_publish_puts_data_tag_and_branch_where_they_belong(opened, remote, git_remote):
    first(opened)
    assert builders.git(git_remote, "tag") == "v1.0"
    assert builders.git(git_remote, "cat-file", "-t", "v1.0") == "tag"
    assert builders.git(git_remote, "rev-parse", "v1.0^{}") == builders.git(opened.root, "rev-parse", "main")
    stored = [path for path in (remote / "files/md5").rglob("*") if path.is_file()]
    assert len(stored) == 4  # two files, their manifest, the model
    assert unfinished(opened) is None
    assert builders.git(opened.root, "status", "--porcelain") == ""


def test_a_new_branch_follows_its_remote_so_that_being_behind_is_noticed(opened, git_remote, tmp_path):
    first(opened)
    assert opened.git().upstream() == ("origin/main", 0, 0)
    other = tmp_path / "other"
    builders.git(tmp_path, "clone", "-q", str(git_remote), str(other))
    builders.make_commit(other, {"code.py": "x"}, "Someone else")
    builders.git(other, "push", "-q")
    builders.git(opened.root, "fetch", "-q")
    plan = plan_publish(opened, "v1.1")
    assert not plan.can_start and any("behind origin/main (commits: 1)" in one.text for one in plan.obstacles)


def test_being_behind_without_knowing_stops_at_git_and_can_be_undone(opened, git_remote, tmp_path):
    first(opened)
    other = tmp_path / "other"
    builders.git(tmp_path, "clone", "-q", str(git_remote), str(other))
    builders.make_commit(other, {"code.py": "x"}, "Someone else")
    builders.git(other, "push", "-q")
    (opened.root / "model.bin").write_bytes(b"\0model 2")
    with pytest.raises(GitFailed):
        publish(opened, plan_publish(opened, "v1.1"))
    assert "v1.1" not in builders.git(git_remote, "tag")
    undo(opened)
    assert builders.git(opened.root, "tag") == "v1.0"


def test_published_commit_holds_the_remote_so_that_a_clone_can_pull(opened, git_remote, tmp_path):
    first(opened)
    clone = tmp_path / "clone"
    builders.git(tmp_path, "clone", "-q", str(git_remote), str(clone))
    other = Project.open(clone)
    data.pull(other)
    other.close()
    assert builders.read_tree(clone / "data") == builders.read_tree(opened.root / "data")


def test_a_changed_output_is_added_by_itself(opened, git_remote):
    first(opened)
    (opened.root / "model.bin").write_bytes(b"\0model 2")
    plan = plan_publish(opened, "v1.1", "Better")
    assert plan.add == ("model.bin",)
    done = publish(opened, plan)
    assert done.files == 1
    assert builders.git(git_remote, "show", "v1.1:model.bin.dvc") != builders.git(
        git_remote, "show", "v1.0:model.bin.dvc"
    )


def test_the_estimate_counts_what_was_recorded_but_never_pushed(opened):
    first(opened)
    (opened.root / "model.bin").write_bytes(b"\0model 2, larger")
    data.add(opened, ["model.bin"])
    review.presence(opened, opened.workspace.outputs().outputs)  # the window has listed the remote
    plan = plan_publish(opened, "v1.1", "Better")
    assert plan.add == ()
    assert (plan.files, plan.bytes) == (1, len(b"\0model 2, larger"))


def test_unrelated_changes_stay_out_of_the_version(opened, git_remote):
    first(opened)
    (opened.root / "notes.txt").write_text("draft")
    (opened.root / "model.bin").write_bytes(b"\0model 2")
    publish(opened, plan_publish(opened, "v1.1", "Better"))
    assert "notes.txt" not in builders.git(git_remote, "ls-tree", "-r", "--name-only", "v1.1")


@pytest.mark.parametrize("name", ["", "-x", "a b", "v1..2", "x.lock", "é\u202e", "a~b", "refs/../x"])
def test_names_no_version_can_have(opened, name):
    data.add(opened, ["data"])
    plan = plan_publish(opened, name)
    assert not plan.can_start
    with pytest.raises(Refused):
        publish(opened, plan)


def test_a_taken_name_is_in_the_way(opened):
    first(opened)
    assert "exists already" in plan_publish(opened, "v1.0").obstacles[0].text


def test_detached_head_is_in_the_way(opened):
    first(opened)
    builders.git(opened.root, "switch", "-q", "--detach")
    assert any("detached" in one.text for one in plan_publish(opened, "v2").obstacles)


def test_without_a_remote_it_stops_before_the_commit_and_goes_on_when_there_is_one(
    opened, remote, git_remote
):
    from modelkeep.core.workflows import setup

    data.add(opened, ["data", "model.bin"])
    setup.remove_remote(opened, "store")
    plan = plan_publish(opened, "v1.0", "First")
    assert plan.can_start
    with pytest.raises(NoRemote, match="only on this machine"):
        publish(opened, plan)
    assert builders.git(opened.root, "tag") == ""
    setup.add_remote(opened, "store", str(remote), default=True)
    resume(opened)
    assert builders.git(git_remote, "tag") == "v1.0"


def test_without_a_git_remote_it_tags_here_and_says_so(opened):
    builders.git(opened.root, "remote", "remove", "origin")
    data.add(opened, ["data"])
    done = publish(opened, plan_publish(opened, "v1.0"))
    assert builders.git(opened.root, "tag") == "v1.0"
    assert any("no Git remote" in note for note in done.notes)


def test_an_object_that_is_nowhere_stops_the_tag(opened):
    data.add(opened, ["data", "model.bin"])
    oid = opened.workspace.outputs().find("model.bin").oid
    opened.cache.path(oid).unlink()
    (opened.root / "model.bin").unlink()
    with pytest.raises(MissingObjects, match=r"model\.bin"):
        publish(opened, plan_publish(opened, "v1.0"))
    assert builders.git(opened.root, "tag") == ""


def test_git_is_not_pushed_when_the_remote_lost_an_object_meanwhile(opened, remote, git_remote, monkeypatch):
    data.add(opened, ["data", "model.bin"])
    sent = data.push

    def push_and_lose(*args, **kwargs):
        done = sent(*args, **kwargs)
        shutil.rmtree(remote / "files/md5")
        return done

    monkeypatch.setattr(data, "push", push_and_lose)
    with pytest.raises(MissingObjects, match="not proven"):
        publish(opened, plan_publish(opened, "v1.0"))
    assert builders.git(git_remote, "tag") == ""
    monkeypatch.undo()
    resume(opened)
    assert builders.git(git_remote, "tag") == "v1.0"


@pytest.mark.parametrize("step", publishing.STEPS)
def test_cancelled_before_any_step_it_resumes(opened, git_remote, step, monkeypatch):
    _stop_at(monkeypatch, step)
    data.add(opened, ["data", "model.bin"])
    (opened.root / "model.bin").write_bytes(b"\0model 2")
    with pytest.raises(Cancelled):
        publish(opened, plan_publish(opened, "v1.0", "First"))
    left = unfinished(opened)
    assert left is not None and left.step == step and left.can_undo
    assert builders.git(git_remote, "tag") == ""
    monkeypatch.undo()
    resume(opened)
    assert builders.git(git_remote, "rev-parse", "v1.0^{}") == builders.git(opened.root, "rev-parse", "HEAD")
    assert unfinished(opened) is None


@pytest.mark.parametrize("step", publishing.STEPS)
def test_cancelled_before_any_step_it_can_be_undone(opened, step, monkeypatch):
    first(opened)
    (opened.root / "model.bin").write_bytes(b"\0model 2")
    head = builders.git(opened.root, "rev-parse", "HEAD")
    metafile = (opened.root / "model.bin.dvc").read_bytes()
    _stop_at(monkeypatch, step)
    with pytest.raises(Cancelled):
        publish(opened, plan_publish(opened, "v2.0", "Second"))
    monkeypatch.undo()
    undo(opened)
    assert builders.git(opened.root, "rev-parse", "HEAD") == head
    assert builders.git(opened.root, "tag") == "v1.0"
    assert (opened.root / "model.bin.dvc").read_bytes() == metafile
    assert (opened.root / "model.bin").read_bytes() == b"\0model 2"
    assert unfinished(opened) is None
    publish(opened, plan_publish(opened, "v2.0", "Second"))


def test_a_published_version_cannot_be_undone(opened, monkeypatch):
    data.add(opened, ["data"])
    clear = publishing.Journal.clear
    monkeypatch.setattr(publishing.Journal, "clear", lambda self: None)
    publish(opened, plan_publish(opened, "v1.0"))
    monkeypatch.setattr(publishing.Journal, "clear", clear)
    with pytest.raises(Refused, match="has been pushed"):
        undo(opened)
    resume(opened)
    assert unfinished(opened) is None


def test_resumed_it_proves_what_the_commit_names_not_what_the_workspace_holds_by_then(
    opened, remote, git_remote, monkeypatch
):
    _stop_at(monkeypatch, "git-push")
    data.add(opened, ["data", "model.bin"])
    with pytest.raises(Cancelled):
        publish(opened, plan_publish(opened, "v1.0"))
    monkeypatch.undo()
    published = opened.workspace.outputs().find("model.bin").oid
    (opened.root / "model.bin").write_bytes(b"\0model 2, recorded meanwhile")
    data.add(opened, ["model.bin"])
    (remote / published.key).unlink()
    resume(opened)
    assert (remote / published.key).exists()
    assert published.name in builders.git(git_remote, "show", "v1.0:model.bin.dvc")


def test_resumed_after_somebody_committed_it_tags_nothing_else(opened, git_remote, monkeypatch):
    _stop_at(monkeypatch, "tag")
    data.add(opened, ["data"])
    with pytest.raises(Cancelled):
        publish(opened, plan_publish(opened, "v1.0"))
    monkeypatch.undo()
    builders.make_commit(opened.root, {"code.py": "x"}, "More code")
    with pytest.raises(Refused, match="has moved"):
        resume(opened)
    assert builders.git(opened.root, "tag") == "" and builders.git(git_remote, "tag") == ""


def test_a_second_publish_waits_for_the_first(opened, monkeypatch):
    _stop_at(monkeypatch, "tag")
    data.add(opened, ["data"])
    with pytest.raises(Cancelled):
        publish(opened, plan_publish(opened, "v1.0"))
    monkeypatch.undo()
    assert not plan_publish(opened, "v2.0").can_start


def test_a_password_in_the_config_is_never_published(opened):
    data.add(opened, ["data"])
    config = opened.root / ".dvc/config"
    config.write_text(
        config.read_text()
        + "['remote \"lab\"']\n    url = ssh://me@lab.example/srv\n    password = hunter2\n"
    )
    opened.reload()
    plan = plan_publish(opened, "v1.0")
    assert any("password" in one.text and one.blocks for one in plan.obstacles)


def test_hooks_of_a_folder_to_push_to_are_in_the_way_until_trusted(opened, git_remote):
    from modelkeep.core.workflows import setup

    data.add(opened, ["data"])
    hook = git_remote / "hooks/post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    plan = plan_publish(opened, "v1.0")
    assert not plan.can_start and any("starts programs" in one.text for one in plan.obstacles)
    setup.trust_project(opened)
    publish(opened, plan_publish(opened, "v1.0"))
    assert builders.git(git_remote, "tag") == "v1.0"


def test_presence_tells_what_is_only_here(opened):
    first(opened)
    (opened.root / "model.bin").write_bytes(b"\0model 2, larger")
    data.add(opened, ["model.bin"])
    where = review.presence(opened, opened.workspace.outputs().outputs)
    assert where["data"].where.value == "here, on remote"
    assert where["model.bin"].where.value == "only here"
    assert where["model.bin"].only_here_bytes == len(b"\0model 2, larger")


def _stop_at(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Cancel at the moment the journal names `step` as the next one."""
    write = publishing.Journal.write

    def write_then_stop(self: publishing.Journal, record: dict[str, object]) -> None:
        write(self, record)
        if record["step"] == step:
            raise Cancelled

    monkeypatch.setattr(publishing.Journal, "write", write_then_stop)


def test_progress_is_reported_per_step(opened):
    progress = Progress()
    data.add(opened, ["data", "model.bin"])
    publish(opened, plan_publish(opened, "v1.0"), progress)
    assert progress.reading().phase == "Push branch and tag to Git"
    assert SILENT.reading().phase == ""
