"""Checkout where DVC refuses, replaces or loses something (§7.7), and objects that are not what their name says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status, our_states
from interop.projects import opened
from modelkeep.core.errors import CorruptObject, InvalidFile, MissingObjects, ModelkeepError, UnsavedChanges
from modelkeep.core.values import State
from modelkeep.core.workflows import data, restore, review

FOLDER = {"a": "a of old", "sub/b": "b of old"}


def object_at(project: Path, content: str, suffix: str = "") -> Path:
    name = builders.md5(content)
    return project / ".dvc/cache/files/md5" / name[:2] / (name[2:] + suffix)


def make(project: Path) -> Path:
    """`f` and `d` as they are recorded, both in the cache; so is the content `known`."""
    builders.track_file(project, "f", "recorded")
    builders.track_folder(project, "d", FOLDER)
    builders.put_object(project / ".dvc/cache", b"known")
    return project


def _swap_folder(project: Path) -> None:
    shutil.rmtree(project / "d")
    (project / "d").write_text("a file now")


def _swap_file(project: Path) -> None:
    (project / "f").unlink()
    builders.write_tree(project, {"f/inner": "a folder now"})


REFUSED: dict[str, Callable[[Path], object]] = {
    "changed file": lambda project: (project / "f").write_text("unsaved"),
    "changed file in a folder": lambda project: (project / "d/a").write_text("unsaved"),
    "another file in a folder": lambda project: (project / "d/extra").write_text("unsaved"),
    "a file where a folder was": _swap_folder,
    "a folder where a file was": _swap_file,
}


@pytest.mark.parametrize("case", REFUSED)
def test_10_2_28_unsaved_data_is_refused_and_replaced_only_with_force(
    case: str, project: Path, dvc: Dvc
) -> None:
    make(project)
    REFUSED[case](project)
    before = trees.untouched(project)
    with opened(project) as ours:
        with pytest.raises(UnsavedChanges):
            data.checkout(ours)
        assert trees.untouched(project) == before
        assert dvc("checkout", cwd=project, check=False).returncode
        assert {k: v for k, v in trees.untouched(project).items() if "cache" not in k} == {
            k: v for k, v in before.items() if "cache" not in k
        }
        data.checkout(ours, force=True)
        assert ours.workspace.replaced()  # and can be brought back, which DVC's --force cannot
    assert_clean(project)
    assert dvc_status(dvc, project) == {}


def test_10_2_28_saved_data_is_replaced_without_asking(tmp_path: Path, dvc: Dvc) -> None:
    found = {}
    for name in ("ours", "theirs"):
        project = make(builders.make_project(tmp_path / name))
        (project / "f").write_text("known")
        (project / "d/a").write_text("known")
        (project / "d/extra").write_text("known")
        (project / "d/sub/b").unlink()
        if name == "ours":
            with opened(project) as ours:
                data.checkout(ours)
        else:
            dvc("checkout", cwd=project)
        found[name] = trees.data(project, ["f", "d"])
    assert found["ours"] == found["theirs"] == {"f": b"recorded", "d/a": b"a of old", "d/sub/b": b"b of old"}


def test_10_2_14_a_wrong_object_is_never_trusted_whatever_its_mode(tmp_path: Path, dvc: Dvc) -> None:
    """Not by its mode 0444 either: neither handed out, nor sent, nor recorded; the error says which it was."""
    for mode in (0o644, 0o444):
        project = make(builders.make_project(tmp_path / oct(mode)))
        builders.set_default_remote(project, str(tmp_path / f"remote-{mode}"))
        wrong = object_at(project, "recorded")
        wrong.chmod(0o644)
        wrong.write_text("RECORDED")
        wrong.chmod(mode)
        shutil.copytree(project, tmp_path / f"send-{mode}", symlinks=True)
        (project / "f").unlink()
        with opened(project) as ours:
            with pytest.raises(CorruptObject, match=builders.md5("recorded")):
                data.checkout(ours)
            assert not (project / "f").exists() and not wrong.exists()
            assert our_states(project)["f"] is State.NOT_IN_CACHE
        assert dvc_status(dvc, project)["f.dvc"] == [{"changed outs": {"f": "not in cache"}}]
        with opened(tmp_path / f"send-{mode}") as ours, pytest.raises(CorruptObject):
            data.push(ours)
        sent = [path.read_text() for path in (tmp_path / f"remote-{mode}").rglob("*") if path.is_file()]
        assert "RECORDED" not in sent


def test_appendix_c_4_a_wrong_object_does_not_replace_the_users_file(tmp_path: Path, dvc: Dvc) -> None:
    """Recording the good file again heals the cache instead."""
    project = make(builders.make_project(tmp_path / "ours"))
    wrong = object_at(project, "recorded")
    wrong.chmod(0o644)
    wrong.write_text("RECORDED")
    wrong.chmod(0o444)
    (project / "f").write_text("recorded")  # anew, as far as our memory goes
    with opened(project) as ours:
        data.add(ours, ["f"])
    assert (project / "f").read_text() == "recorded"
    assert wrong.read_text() == "recorded"
    dvc("add", "f", cwd=project)
    assert (project / "f").read_text() == "recorded"


def test_appendix_c_2_a_missing_object_costs_nothing(tmp_path: Path) -> None:
    """Where DVC removes the whole folder, ignored files and all, everything stays as it is."""
    project = make(builders.make_project(tmp_path / "ours"))
    builders.write_tree(project, {".dvcignore": "*.log\n", "d/run.log": "kept", "d/a": "known"})
    object_at(project, "a of old").unlink()
    before = trees.untouched(project)
    with opened(project) as ours:
        for force in (False, True):
            with pytest.raises(MissingObjects, match="d/a"):
                data.checkout(ours, force=force)
    assert trees.untouched(project) == before


def test_appendix_c_5_manifests_and_links_lead_nowhere(tmp_path: Path) -> None:
    project = make(builders.make_project(tmp_path / "ours"))
    digest = builders.put_object(project / ".dvc/cache", b"evil")
    rows = f'[{{"md5": "{digest}", "relpath": "../../evil"}}]'
    manifest = builders.put_object(project / ".dvc/cache", rows.encode(), suffix=".dir")
    (project / "d.dvc").write_text(f"outs:\n- md5: {manifest}.dir\n  hash: md5\n  path: d\n")
    (tmp_path / "outside").mkdir()
    (project / "linked").symlink_to(tmp_path / "outside")
    (project / "linked.dvc").write_text(f"outs:\n- md5: {digest}\n  hash: md5\n  path: linked/evil\n")
    shutil.rmtree(project / "d")
    for target in ("d", "linked/evil"):
        with opened(project) as ours, pytest.raises(ModelkeepError):
            data.checkout(ours, [target])
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("text", [b"", b"outs:\n- md5: d41d8cd98f00b204", b"outs:\n- md5: [\n"])
def test_10_1_a_metafile_that_was_cut_off_blocks_what_would_remove_data(
    project: Path, text: bytes, dvc: Dvc
) -> None:
    """DVC takes an empty one for "tracks nothing" and removes the data at the next pull."""
    make(project)
    dvc("checkout", cwd=project)
    (project / "f.dvc").write_bytes(text)
    with opened(project) as ours:
        with pytest.raises(InvalidFile, match=r"f\.dvc"):
            data.checkout(ours)
        with pytest.raises(InvalidFile, match=r"f\.dvc"):
            data.checkout(ours, ["f"], force=True)
        with pytest.raises(ModelkeepError):
            data.add(ours, ["f"])
        assert ours.workspace.status().problems
    assert (project / "f").read_text() == "recorded"
    assert (project / "f.dvc").read_bytes() == text


def test_10_1_a_version_with_a_metafile_that_was_cut_off_takes_no_data_away(project: Path) -> None:
    """Committed like that: what it tracks is not known, so what is here is not known to be gone."""
    make(project)
    builders.track_file(project, "really gone", "x")
    builders.make_commit(project, {}, "Good")
    for name, text in (("f.dvc", b""), ("dvc.yaml", b"stages: {\n")):
        (project / name).write_bytes(text)
    (project / "really gone.dvc").unlink()
    builders.make_tag(project, "bad", "Bad", builders.make_commit(project, {}, "Cut off"))
    builders.git(project, "reset", "--quiet", "--hard", "main~1")
    with opened(project) as ours:
        plan = restore.plan_restore(
            ours, review.find_version(ours, "bad"), how=restore.How.BRANCH, branch="b"
        )
        assert plan.delete == ("really gone",)
        restore.restore(ours, plan)
    assert (project / "f").read_text() == "recorded"
    assert not (project / "really gone").exists()


def test_10_1_a_checkout_of_ours_leaves_nothing_for_dvc_to_do(tmp_path: Path, dvc: Dvc) -> None:
    """And one of DVC's leaves nothing for us: also for files that DVC itself put into place before."""
    project = make(builders.make_project(tmp_path / "ours"))
    trees.remove_data(project, ["f", "d"])
    dvc("checkout", cwd=project)
    (project / "d/a").unlink()
    with opened(project) as ours:
        assert data.checkout(ours).paths
        assert data.checkout(ours).paths == ()
    before = trees.untouched(project)
    stamps = {path: path.stat().st_mtime_ns for path in project.glob("d/**/*")}
    dvc("checkout", cwd=project)
    assert trees.untouched(project) == before
    assert {path: path.stat().st_mtime_ns for path in project.glob("d/**/*")} == stamps
