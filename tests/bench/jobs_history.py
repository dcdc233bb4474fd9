"""The jobs over many versions: what is tracked at each tag, and the window on such a project. Makes its own project."""

from __future__ import annotations

import subprocess
from pathlib import Path

import builders
from bench.jobs import Build, Job
from bench.measure import Call, Contest, Side
from bench.stage import HERE, Seat, Stage

TAGS = 500
_MANY = 10_000
_OUTPUTS = 20


def count(scale: float) -> int:
    """How many tags there are at this scale."""
    return _scaled(TAGS, scale)


def _scaled(tags: int, scale: float) -> int:
    return max(2, round(tags * scale))


def make_versions(seat: Seat, tags: int) -> None:
    """A project whose every tag changes one of 20 tracked files; all objects are in the cache."""
    seat.renew()
    cache = seat.project / ".dvc/cache"
    lines: list[bytes] = []
    for number in range(tags):
        changed = range(_OUTPUTS) if number == 0 else [number % _OUTPUTS]
        lines += [
            b"commit refs/heads/main",
            b"committer A Person <a@example.org> %d +0000" % (1_700_000_000 + number),
        ]
        lines += [_data(f"Version {number}")]
        if number == 0:
            lines += [b"from refs/heads/main^0"]
        for output in changed:
            text = _metafile(cache, f"model-{output:02}.bin", number).encode()
            lines += [f"M 100644 inline models/model-{output:02}.bin.dvc".encode(), _data(text.decode())]
        lines += [f"tag v0.{number}".encode(), b"from refs/heads/main"]
        lines += [
            b"tagger A Person <a@example.org> %d +0000" % (1_700_000_000 + number),
            _data(f"Tag {number}"),
        ]
    stream = b"\n".join([*lines, b"done", b""])
    subprocess.run(["git", "fast-import", "--quiet", "--done"], input=stream, cwd=seat.project, check=True)
    builders.git(seat.project, "reset", "--quiet", "--hard")


def _data(text: str) -> bytes:
    data = text.encode()
    return b"data %d\n%s" % (len(data), data)


def _metafile(cache: Path, name: str, number: int) -> str:
    """A metafile for the content of one version of one output, which is put into the cache."""
    digest = builders.put_object(cache, f"{name} {number}\n".encode())
    size = len(f"{name} {number}\n")
    return f"outs:\n- md5: {digest}\n  size: {size}\n  hash: md5\n  path: {name}\n"


def tags(most: int, *, with_dvc: bool = True) -> Build:
    """What is tracked at each tag."""

    def build(stage: Stage) -> Contest:
        amount = _scaled(most, stage.scale)
        ours = stage.seat("ours")
        make_versions(ours, amount)
        sides: dict[str, Side] = {"ours": lambda: ours.call("versions", "--tags", "--json")}
        if with_dvc and "dvc" in stage.sides:
            dvc = stage.seat("dvc")
            make_versions(dvc, amount)
            script: list[str | Path] = [dvc.program.with_name("python"), HERE / "dvc_tags.py", str(amount)]
            sides["dvc"] = lambda: Call(script, dvc.project, dvc.env)
        sides["floor"] = lambda: stage.floor(stage.script("floors_git.py", ours.project))
        return sides

    return build


def window(moment: str, floor: str) -> Build:
    """The whole process until the window is painted, or its versions are listed, against an earlier moment."""

    def build(stage: Stage) -> Contest:
        seat = stage.seat("ours")
        amount = count(stage.scale)
        make_versions(seat, amount)

        def until(moment: str) -> Side:
            command: list[str | Path] = [
                stage.python,
                "-I",
                HERE / "window.py",
                moment,
                seat.project,
                str(amount),
            ]
            return lambda: Call(command, seat.project, seat.env)

        return {"ours": until(moment), "floor": until(floor)}

    return build


_LOG = "one git log --raw and one cat-file"

JOBS = (
    Job("tags-500", "outputs of each tag", "T", tags(TAGS), 60, 5, floor=_LOG),
    Job(
        "tags-10000",
        "outputs of 10,000 tags",
        "T",
        tags(_MANY, with_dvc=False),
        None,
        2,
        floor=_LOG,
        is_large=True,
    ),
    Job(
        "window-painted",
        "window painted",
        "T",
        window("painted", "empty"),
        None,
        6,
        floor="an empty PySide6 window",
    ),
    Job(
        "window-listed",
        "versions listed",
        "T",
        window("listed", "painted"),
        later=1.0,
        floor="window painted",
    ),
)
