"""What push and fetch are about, and where it goes: scopes, remotes of outputs and of commits (§6.1, §7.6)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop.judging import dvc_status
from interop.projects import opened
from modelkeep.core.errors import InvalidFile, MissingObjects, NotFound, Unsupported
from modelkeep.core.workflows import data, review
from team import modelkeep


def keys(root: Path) -> set[str]:
    """The objects in a cache or remote."""
    return (
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        if root.exists()
        else set()
    )


def key(content: str) -> str:
    name = builders.md5(content)
    return f"files/md5/{name[:2]}/{name[2:]}"


def config(project: Path, *remotes: str) -> None:
    """The first of `remotes` (name=url) is the default."""
    lines = ["[core]", f"    remote = {remotes[0].partition('=')[0]}"]
    for one in remotes:
        name, _, url = one.partition("=")
        lines += [f"['remote \"{name}\"']", f"    url = {url}"]
    (project / ".dvc/config").write_text("\n".join(lines) + "\n")


@pytest.fixture
def history(project: Path) -> Path:
    """Three commits on main with two remotes in turn (one relative), a tag, a branch, and data of each alone.

    v1 (tag, remote one) - second (remote two) - third (remote two, HEAD); `side` branches off v1.
    """
    config(project, "store=../../one")
    builders.track_file(project, "f", "v1 of f")
    builders.track_folder(project, "d", {"a": "a of v1", "same": "same"})
    builders.make_commit(project, {}, "First")
    builders.make_tag(project, "v1", "First")
    builders.make_branch(project, "side", switch=True)
    builders.track_file(project, "f", "f of side")
    builders.make_commit(project, {}, "Side")
    builders.git(project, "switch", "--quiet", "main")
    config(project, f"store={project.parent / 'two'}")
    builders.track_file(project, "f", "f of second")
    builders.make_commit(project, {}, "Second")
    builders.track_file(project, "f", "f of third")
    builders.make_commit(project, {}, "Third")
    return project


ONE = {"v1 of f", "a of v1", "same", "f of side"}


def contents(root: Path, *known: str) -> set[str]:
    there = keys(root)
    return {text for text in known if key(text) in there}


EVERY = ("v1 of f", "a of v1", "same", "f of side", "f of second", "f of third")


def test_10_2_25_every_commit_goes_to_the_remote_it_names(history: Path, dvc: Dvc, tmp_path: Path) -> None:
    """A relative folder is meant from the project, whichever commit names it; DVC writes it elsewhere."""
    with opened(history) as project:
        versions = [*project.git().all_commits(), review.find_version(project, "workspace")]
        data.push(project, versions=versions, each_config=True)
    assert contents(tmp_path / "one", *EVERY) == ONE
    assert contents(tmp_path / "two", *EVERY) == {"f of second", "f of third", "a of v1", "same"}
    shutil.rmtree(history / ".dvc/cache")
    with opened(history) as project:
        data.fetch(project, versions=versions, each_config=True)
    assert contents(history / ".dvc/cache", *EVERY) == set(EVERY)
    assert "Everything is up to date" in dvc("push", cwd=history).stdout


def test_10_1_what_moved_to_todays_remote_is_fetched_from_there(history: Path, tmp_path: Path) -> None:
    """The storage that an old version names is gone; whoever moved it, moved its objects."""
    with opened(history) as project:
        versions = project.git().all_commits()
        data.push(project, versions=versions, each_config=True)
        shutil.copytree(tmp_path / "one", tmp_path / "two", dirs_exist_ok=True)
        shutil.rmtree(tmp_path / "one")
        shutil.rmtree(history / ".dvc/cache")
        data.fetch(project, versions=versions, each_config=True)
        assert contents(history / ".dvc/cache", *EVERY) == set(EVERY)
        shutil.rmtree(history / ".dvc/cache")
        (tmp_path / "two" / key("f of side")).unlink()
        with pytest.raises(MissingObjects, match="f"):
            data.fetch(project, versions=versions, each_config=True)
    assert contents(history / ".dvc/cache", *EVERY) == set(EVERY) - {"f of side"}


def test_10_2_25_dvc_fills_the_same_remotes(project: Path, dvc: Dvc, tmp_path: Path) -> None:
    """With absolute addresses both programs agree, and each finds nothing left to do after the other."""
    config(project, f"store={tmp_path / 'one'}")
    builders.track_file(project, "f", "old")
    builders.make_commit(project, {}, "Old")
    config(project, f"store={tmp_path / 'two'}")
    builders.track_file(project, "f", "new")
    builders.make_commit(project, {}, "New")
    dvc("push", "-A", cwd=project)
    theirs = keys(tmp_path / "one"), keys(tmp_path / "two")
    with opened(project) as ours:
        versions = [*ours.git().all_commits(), review.find_version(ours, "workspace")]
        assert data.push(ours, versions=versions, each_config=True).files == 0
        for name in ("one", "two"):
            shutil.rmtree(tmp_path / name)
        data.push(ours, versions=versions, each_config=True)
    assert (keys(tmp_path / "one"), keys(tmp_path / "two")) == theirs
    assert theirs == ({key("old")}, {key("new")})
    assert "Everything is up to date" in dvc("push", "-A", cwd=project).stdout


@pytest.mark.parametrize(
    ("rev", "targets", "arrives"),
    [
        ((), (), {"f of third", "a of v1", "same"}),
        ((), ("f",), {"f of third"}),
        ((), ("d/a",), {"a of v1"}),
        (("v1",), (), {"v1 of f", "a of v1", "same"}),
        (("v1", "side"), ("f.dvc",), {"v1 of f", "f of side"}),
        (("main~1",), ("f",), {"f of second"}),
    ],
)
def test_10_1_scopes(
    rev: tuple[str, ...], targets: tuple[str, ...], arrives: set[str], history: Path
) -> None:
    """Workspace, outputs, a file of a folder, versions; without each_config everything goes to today's remote."""
    with opened(history) as project:
        commits = {"main~1": builders.git(history, "rev-parse", "main~1")}
        versions = [review.find_version(project, commits.get(name, name)) for name in rev]
        data.push(project, targets, versions=versions)
        assert contents(history.parent / "two", *EVERY) == arrives
        assert not (history.parent / "one").exists()
        if targets == ("d/a",):  # the list of a folder follows only when all of its files are there
            assert not any(name.endswith(".dir") for name in keys(history.parent / "two"))
            data.push(project)
        shutil.rmtree(history / ".dvc/cache")
        data.fetch(project, targets, versions=versions)
        assert contents(history / ".dvc/cache", *EVERY) == arrives


def test_10_1_a_target_that_no_version_has_is_said(history: Path) -> None:
    with opened(history) as project, pytest.raises(NotFound, match="nothing"):
        data.push(project, ["nothing.bin"], versions=[review.find_version(project, "v1")])


def test_10_1_what_is_missing_is_named_with_its_version_and_who_recorded_it(
    history: Path, tmp_path: Path
) -> None:
    """DVC warns and ends with 0; here it is an error, after everything else was sent."""
    (history / ".dvc/cache" / key("v1 of f")).unlink()
    (history / ".dvc/cache" / key("f of third")).unlink()
    with opened(history) as project:
        versions = [*project.git().all_commits(), review.find_version(project, "workspace")]
        versions = [review.find_version(project, "v1"), *versions]
        with pytest.raises(MissingObjects) as error:
            data.push(project, versions=versions, each_config=True)
    text = str(error.value)
    assert "f: recorded at v1 in f.dvc, last changed by Test Person <test@example.org>" in text
    assert contents(tmp_path / "one", *EVERY) == ONE - {"v1 of f"}
    assert contents(tmp_path / "two", *EVERY) == {"f of second", "a of v1", "same"}


def test_10_2_22_one_object_missing(history: Path, dvc: Dvc, tmp_path: Path) -> None:
    """The rest is sent, the folder's list is held back, and the error says so; DVC ends with 0."""
    (history / ".dvc/cache" / key("same")).unlink()
    builders.track_file(history, "new", "not committed")
    (history / ".dvc/cache" / key("not committed")).unlink()
    with opened(history) as project, pytest.raises(MissingObjects) as error:
        data.push(project)
    assert error.value.paths == ("d/same", "new")
    assert "new: recorded here in new.dvc, which is not committed yet." in error.value.detail
    assert contents(tmp_path / "two", *EVERY) == {"f of third", "a of v1"}
    assert not any(name.endswith(".dir") for name in keys(tmp_path / "two"))
    theirs = tmp_path / "theirs"
    config(history, f"store={theirs}")
    assert dvc("push", cwd=history, check=False).returncode == 0
    assert keys(theirs) == keys(tmp_path / "two")


def test_10_2_26_a_broken_metafile_of_the_past_does_not_hold_up_the_rest(
    history: Path, dvc: Dvc, tmp_path: Path
) -> None:
    config(history, f"store={tmp_path / 'two'}")
    builders.make_commit(history, {"bad.dvc": "outs:\n- nonsense: 1\n  path: bad\n"}, "Broken")
    builders.git(history, "rm", "--quiet", "bad.dvc")
    builders.make_commit(history, {}, "Mended")
    with opened(history) as project:
        broken = review.find_version(project, builders.git(history, "rev-parse", "main~1"))
        versions = [*project.git().all_commits(), review.find_version(project, "workspace")]
        done = data.push(project, versions=versions, each_config=True)
        assert any("bad.dvc" in note for note in done.notes)
        with pytest.raises(InvalidFile, match="bad"):  # one that was named is not passed over
            data.push(project, versions=[broken])
    assert dvc("push", "-A", cwd=history).returncode == 0
    assert dvc("gc", "-A", "-f", cwd=history, check=False).returncode != 0


def test_10_2_27_outputs_with_a_remote_of_their_own(project: Path, dvc: Dvc, tmp_path: Path) -> None:
    """`remote:` wins by default and is passed over where another is named; `push: false` is never sent."""
    for name in ("ours", "theirs"):
        builders.write_tree(tmp_path / name, {})
    builders.track_file(project, "plain", "plain")
    builders.track_file(project, "own", "own")
    builders.track_file(project, "never", "never")
    with (project / "own.dvc").open("a") as file:
        file.write("  remote: Other\n")
    with (project / "never.dvc").open("a") as file:
        file.write("  push: false\n")
    for who in ("ours", "theirs"):
        config(project, f"store={tmp_path / who / 'store'}", f"Other={tmp_path / who / 'other'}")
        if who == "ours":
            with opened(project) as one:
                data.push(one, remote="store")
                assert keys(tmp_path / "ours/other") == set()
                data.push(one)
        else:
            project_own = project / "own.dvc"
            project_own.write_text(
                project_own.read_text().replace("Other", "other")
            )  # dvc takes it as written
            dvc("push", "-r", "store", cwd=project)
            assert keys(tmp_path / "theirs/other") == set()
            dvc("push", cwd=project)
    for place in ("store", "other"):
        assert keys(tmp_path / "ours" / place) == keys(tmp_path / "theirs" / place)
    assert keys(tmp_path / "ours/other") == {key("own")} and keys(tmp_path / "ours/store") == {key("plain")}

    builders.put_object(tmp_path / "theirs/store", b"never")  # somebody else sent it: fetched all the same
    shutil.rmtree(project / ".dvc/cache")
    with opened(project) as one:
        data.pull(one)
    assert contents(project / ".dvc/cache", "plain", "own", "never") == {"plain", "own", "never"}
    assert dvc_status(dvc, project) == {}


def test_10_1_remotes_that_inherit_are_resolved_at_any_revision(project: Path, tmp_path: Path) -> None:
    (project / ".dvc/config").write_text(
        "[core]\n    remote = sub\n['remote \"base\"']\n    url = ../../base\n['remote \"sub\"']\n    url = remote://base/in/side\n"
    )
    builders.track_file(project, "f", "old")
    builders.make_commit(project, {}, "Old")
    config(project, "sub=../../moved")
    builders.track_file(project, "f", "new")
    builders.make_commit(project, {}, "New")
    with opened(project) as ours:
        data.push(ours, versions=ours.git().all_commits(), each_config=True)
    assert keys(tmp_path / "base/in/side") == {key("old")}
    assert keys(tmp_path / "moved") == {key("new")}


def test_10_1_a_version_without_any_remote_uses_todays(project: Path, tmp_path: Path) -> None:
    builders.track_file(project, "f", "before there was a remote")
    builders.make_commit(project, {}, "No remote yet")
    config(project, f"store={tmp_path / 'two'}")
    builders.make_commit(project, {}, "With a remote")
    with opened(project) as ours:
        data.push(ours, versions=ours.git().all_commits(), each_config=True)
    assert keys(tmp_path / "two") == {key("before there was a remote")}


def test_10_1_the_command_line_names_what_is_missing_and_fails(history: Path, tmp_path: Path) -> None:
    """`modelkeep push -A`: everything else is sent; file, version and who recorded it are said; no success."""
    (history / ".dvc/cache" / key("f of side")).unlink()
    said = modelkeep("push", "-A", cwd=history, expect=3)
    assert "f: recorded at side in f.dvc, last changed by Test Person <test@example.org>" in said.err
    assert contents(tmp_path / "one", *EVERY) == ONE - {"f of side"}
    assert contents(tmp_path / "two", *EVERY) == {"f of second", "f of third", "a of v1", "same"}
    shutil.rmtree(history / ".dvc/cache")
    modelkeep("fetch", "-T", cwd=history)
    assert contents(history / ".dvc/cache", *EVERY) == {"v1 of f", "a of v1", "same", "f of third"}


def test_10_2_27_an_output_with_a_remote_of_its_own_in_the_past(
    project: Path, tmp_path: Path, dvc: Dvc
) -> None:
    config(project, f"store={tmp_path / 'store'}", f"other={tmp_path / 'other'}")
    builders.track_file(project, "own", "old")
    with (project / "own.dvc").open("a") as file:
        file.write("  remote: other\n")
    builders.make_commit(project, {}, "With a remote of its own")
    builders.track_file(project, "own", "new")
    builders.make_commit(project, {}, "Without")
    with opened(project) as ours:
        data.push(ours, versions=ours.git().all_commits(), each_config=True)
    assert (keys(tmp_path / "store"), keys(tmp_path / "other")) == ({key("new")}, {key("old")})
    assert "Everything is up to date" in dvc("push", "-A", cwd=project).stdout


@pytest.mark.parametrize(
    "url", ["s3://bucket/x", "https://example.org/x", "gs://bucket/x", "webdav://example.org/x"]
)
def test_10_1_kinds_of_remotes_that_are_not_there_yet_are_refused_by_name(url: str, project: Path) -> None:
    config(project, f"store={url}")
    builders.track_file(project, "f", "content")
    with opened(project) as ours, pytest.raises(Unsupported, match=url.partition(":")[0]):
        data.push(ours)
