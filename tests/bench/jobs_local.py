"""The jobs of one machine: start, add, status, checkout, a folder as remote, diff. Knows how each is set up."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import builders
from bench import data
from bench.jobs import Build, Job
from bench.measure import Call, Contest, Side, age
from bench.stage import PYTHON, Seat, Stage, expect_files, expect_objects

_COPY = "[cache]\n    type = copy\n"
_HARDLINK = "[cache]\n    type = hardlink\n"

#: A job as one side plays it: given its seat, what is to be run each time.
Play = Callable[[Seat], Side]


def both(stage: Stage, play: Play) -> dict[str, Side]:
    """The same work for us and for dvc, each in a seat of its own."""
    return {name: play(stage.seat(name)) for name in ("ours", "dvc") if name in stage.sides}


def remote_config(url: str | Path, **options: str | Path) -> str:
    """The settings of a project with one remote, to follow `[core]`."""
    lines = ["    remote = storage", "['remote \"storage\"']", f"    url = {url}"]
    return "\n".join([*lines, *(f"    {key} = {value}" for key, value in options.items())]) + "\n"


def start(stage: Stage) -> Contest:
    """What a small command takes."""

    def play(seat: Seat) -> Side:
        seat.renew(config=remote_config("../remote"))
        return lambda: seat.call("remote", "list")

    return {**both(stage, play), "floor": lambda: stage.floor([*PYTHON, "-c", "pass"])}


def add(name: str) -> Build:
    """Record data nobody has seen before: nothing cached, nothing remembered."""

    def build(stage: Stage) -> Contest:
        master = stage.master(name)

        def play(seat: Seat) -> Side:
            def ready() -> Call:
                if seat.turn:
                    seat.renew(keep=["data"], config=_COPY)
                else:
                    seat.renew(config=_COPY)
                    seat.take(master, "data")
                    age(data.now())
                check = expect_objects(seat.project / ".dvc/cache", master.objects)
                return seat.call("add", "data", check=check)

            return ready

        def floor() -> Call:
            target = stage.floor_folder()
            command = stage.script("floors.py", "hash_copy", master.data, target)
            return stage.floor(command, check=expect_files(target, master.kind.files))

        return {**both(stage, play), "floor": floor}

    return build


def _added(seat: Seat, master: data.Master, config: str = _COPY) -> None:
    """A project in which this side has added the data itself, and remembers it."""
    seat.renew(config=config)
    seat.take(master, "data")
    age(data.now())
    seat.run("add", "data")


def add_again(stage: Stage) -> Contest:
    """Record a folder again in which 1 % of the files have new content."""
    master = stage.master("B")

    def play(seat: Seat) -> Side:
        _added(seat, master)
        turns = itertools.count()

        def ready() -> Call:
            data.touch(seat.project / "data", 0.01, next(turns))
            return seat.call("add", "data")

        return ready

    return both(stage, play)


def status(name: str) -> Build:
    """Look whether anything has changed, and nothing has."""

    def build(stage: Stage) -> Contest:
        master = stage.master(name)

        def play(seat: Seat) -> Side:
            _added(seat, master)
            age(data.now())
            seat.run("status")
            return lambda: seat.call("status")

        look = stage.script("floors.py", "look", master.data)
        return {**both(stage, play), "floor": lambda: stage.floor(look)}

    return build


def checkout(config: str, work: str) -> Build:
    """Bring the workspace's data back from a full cache."""

    def build(stage: Stage) -> Contest:
        master = stage.master("B")

        def play(seat: Seat) -> Side:
            seat.renew(config=config)
            seat.take(master, "cache", "metafile")
            turns = itertools.count()

            def ready() -> Call:
                place = seat.project / "data"
                if place.exists():
                    place.rename(seat.folder / f"litter-{next(turns)}")
                return seat.call("checkout", check=expect_files(place, master.kind.files))

            return ready

        def floor() -> Call:
            target = stage.floor_folder()
            source = stage.floor_source(master)
            command = stage.script("floors.py", work, source, target)
            return stage.floor(command, check=expect_files(target, master.kind.files))

        return {**both(stage, play), "floor": floor}

    return build


def checkout_nothing(stage: Stage) -> Contest:
    """Bring the workspace's data back where it already is."""
    master = stage.master("B")

    def play(seat: Seat) -> Side:
        _added(seat, master)
        builders.make_commit(seat.project, message="Track the data")
        age(data.now())
        seat.run("checkout")
        return lambda: seat.call("checkout")

    return both(stage, play)


def push_folder(stage: Stage) -> Contest:
    """Send everything to an empty folder remote."""
    master = stage.master("B")

    def play(seat: Seat) -> Side:
        seat.renew()
        seat.take(master, "cache", "metafile")
        turns = itertools.count()

        def ready() -> Call:
            remote = seat.folder / f"remote-{next(turns)}"
            remote.mkdir()
            seat.configure(remote_config(remote))
            return seat.call("push", check=expect_objects(remote, master.objects))

        return ready

    return {**both(stage, play), "floor": _copying(stage, master, "copy", 1)}


def pull_folder(stage: Stage) -> Contest:
    """Fetch everything from a folder remote into an empty cache, and check it out."""
    master = stage.master("B")

    def play(seat: Seat) -> Side:
        def ready() -> Call:
            seat.renew(config=remote_config(master.cache))
            seat.take(master, "metafile")
            return seat.call("pull", check=expect_files(seat.project / "data", master.kind.files))

        return ready

    return {**both(stage, play), "floor": _copying(stage, master, "copy_twice", 2)}


def _copying(stage: Stage, master: data.Master, work: str, times: int) -> Side:
    def floor() -> Call:
        target = stage.floor_folder()
        command = stage.script("floors.py", work, master.data, target)
        return stage.floor(command, check=expect_files(target, master.kind.files * times))

    return floor


def diff(name: str) -> Build:
    """What changed between two versions of a folder, 1 % of whose files differ."""

    def build(stage: Stage) -> Contest:
        master = stage.master(name)

        def play(seat: Seat) -> Side:
            seat.renew(config=_HARDLINK)
            seat.take(master, "data", "cache", "metafile")
            builders.make_tag(seat.project, "v1")
            data.touch(seat.project / "data", 0.01, 0)
            seat.run("add", "data")
            builders.make_commit(seat.project, message="Change 1 %")
            builders.make_tag(seat.project, "v2")
            return lambda: seat.call("diff", "v1", "v2")

        return both(stage, play)

    return build


_PASS = "one Python pass that hashes while it copies"
_LOOK = "scandir and stat in Python"

JOBS = (
    Job("start", "start of a small command", "–", start, 2.5, None, None, floor="bare Python"),
    Job("add-B", "add", "B", add("B"), 3, 1.6, floor=_PASS),
    Job("add-A", "add", "A", add("A"), 1.3, 1.6, floor=_PASS),
    Job("add-C", "add", "C", add("C"), 2, 1.6, floor=_PASS),
    Job("add-E", "add", "E", add("E"), None, None, 1 / 3, floor=_PASS, is_large=True),
    Job("again-B", "add again, 1 % touched", "B", add_again, 4),
    Job("status-B", "status, unchanged", "B", status("B"), 3.5, 3, floor=_LOOK),
    Job("status-E", "status, unchanged", "E", status("E"), 4, 2, 1 / 3, floor=_LOOK, is_large=True),
    Job("push-folder-B", "push to a folder", "B", push_folder, 2.3, 1.7, floor="Python copy"),
    Job("pull-folder-B", "pull from a folder", "B", pull_folder, 2.5, 1.7, floor="Python copy, twice"),
    Job("checkout-B", "checkout", "B", checkout("", "copy"), 2, 1.6, floor="Python copy"),
    Job(
        "checkout-link-B", "checkout, hard links", "B", checkout(_HARDLINK, "link"), 3, 1.6, floor="link loop"
    ),
    Job("checkout-nothing-B", "checkout, nothing to do", "B", checkout_nothing, 5),
    Job("diff-B", "diff of two versions", "B", diff("B"), 6),
    Job("diff-E", "diff of two versions", "E", diff("E"), 8, None, 1 / 3, is_large=True),
)
