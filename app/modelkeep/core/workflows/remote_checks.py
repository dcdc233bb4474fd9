"""What the test of a remote tries out once it is there, one function for each step. Knows no connections.

Each returns what it found; an obstacle that ends the test is raised and explained by remote_advice.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from modelkeep.core.errors import NotFound, Refused
from modelkeep.core.nouns import dataclass, field, replace
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.stores.trial import Obstacle, Pace, Thing, Trial
from modelkeep.core.values import ObjectId
from modelkeep.core.workflows.remote_advice import Place, amount, lasting
from modelkeep.core.workflows.remote_jail import seen_from_inside
from modelkeep.core.workflows.remote_steps import Found, State
from modelkeep.core.workflows.scope import is_pushed

if TYPE_CHECKING:
    from modelkeep.core.stores.trial_ssh import ServerTrial

_PROBE = 4096  # bytes; random, so that nothing on the way can shrink them
_MOST, _SECONDS = 8 << 20, 2.0  # what the speed is measured with, in each direction
_LEAST = 1 << 16
_LITTLE = 1 << 30  # bytes of free space below which a word is due
_SLOW = 100_000  # bytes per second
_CLOCK = 60.0  # seconds that clocks may differ
_MOST_ASKED = 20_000  # objects


@dataclass()
class Subject:
    """What the test is about, and what its steps hand on to later ones."""

    project: Project
    place: Place
    progress: Progress
    probe: bytes = field(default_factory=lambda: os.urandom(_PROBE))
    probe_name: str = ""
    objects: tuple[ObjectId, ...] = ()  # what this version consists of, as far as this computer knows
    bytes: int = 0  # and how much that is
    room: int = 1 << 62  # bytes that are free there, as far as that is known


def _server(trial: Trial) -> ServerTrial:
    """The trial as what it is; the module behind it is loaded only where a server is tested."""
    return cast("ServerTrial", trial)


def folder(trial: Trial, subject: Subject) -> Found:
    """Whether the folder is there or can be made."""
    _count_objects(subject)
    if trial.on_server:
        server = _server(trial)
        server.enter()
        subject.place = replace(subject.place, home=visible(server.start_folder()))
    path = trial.root
    found = trial.look(path)
    if found is Thing.FOLDER and trial.can_list():
        return Found(State.OK, f"{path} is there.")
    if found is Thing.FOLDER:
        return Found(
            State.WARNING,
            f"{path} is there, but what is in it may not be listed.",
            "Ask its owner for the right to read the folder: without it nobody can see what it has.",
            reason="folder_unlisted",
        )
    if found is Thing.OTHER:
        raise Obstacle("taken", path)
    try:
        made = trial.make_missing()
    except Obstacle as error:
        inside = seen_from_inside(trial, path) if trial.on_server else None
        if inside is None:
            raise
        return inside.found(subject.place, error)
    above = os.path.dirname(made[0]) if made else path
    return Found(
        State.OK,
        f"{path} does not exist yet; it can be made.",
        detail=f"The first push makes it, in {above}.",
        reason="folder_new",
    )


def write(trial: Trial, subject: Subject) -> Found:
    """Whether a file can be written, whole."""
    subject.probe_name = trial.write(subject.probe)
    mode = _server(trial).mode if trial.on_server else None
    if mode is None:
        return Found(State.OK, "Files can be written.")
    return Found(State.OK, f"Files can be written; {_readers(mode, subject.place)} can read them there.")


def _readers(mode: int, place: Place) -> str:
    if mode & 0o004:
        return "everybody"
    return "the folder's group" if mode & 0o040 else f"only {place.user}"


def rename(trial: Trial, subject: Subject) -> Found:
    """Whether a finished file can take its final name, also over an older one."""
    newer = trial.write(subject.probe)
    if trial.rename(newer, subject.probe_name):
        return Found(State.OK, "Files can be renamed in one step, so nobody ever sees half a file.")
    return Found(
        State.WARNING,
        "Files can be renamed, but not replaced in one step.",
        "Nothing has to be done: an object that is there already is never written again.",
        reason="no_replace",
    )


def space(trial: Trial, subject: Subject) -> Found:
    """How much room there is, and whether the data of this version fits."""
    found = trial.space()
    if found is None:
        return Found(State.OK, "The server does not tell how much space is left.", reason="space_unknown")
    subject.room = found.free
    text = f"{amount(found.free)} of {amount(found.total)} are free."
    if subject.bytes > found.free:
        text = f"{text} The data of this project takes {amount(subject.bytes)}."
        return Found(State.WARNING, text, "Ask for more space, or choose another place.", reason="space_low")
    if found.free < _LITTLE:
        return Found(State.WARNING, text, "Have some space freed before it is full.", reason="space_low")
    if found.files is not None and found.files < 10_000:
        text = f"{text} But only {found.files} more files can be made."
        return Found(
            State.WARNING, text, "Ask the server's administrator for more inodes.", reason="few_files"
        )
    return Found(State.OK, text)


def clock(trial: Trial, subject: Subject) -> Found:
    """Whether the server has the same time as this computer."""
    ahead = _server(trial).clock_ahead()
    if ahead is None:
        return Found(State.OK, "The server does not tell its time.", reason="clock_unknown")
    if abs(ahead) <= _CLOCK:
        return Found(State.OK, "The server and this computer have the same time.")
    return Found(
        State.WARNING,
        f"The server's clock is {lasting(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} this computer's.",
        "Everything works, but the times of files are wrong by that. Have the wrong clock of the two set.",
        reason="clock_off",
    )


def speed(trial: Trial, subject: Subject) -> Found:
    """How fast the line is, up and down."""
    most = min(_MOST, subject.room // 4)  # a disk that is nearly full is nobody's place to try things
    if most < _LEAST:
        return Found(State.OK, "Not measured, because the disk is nearly full.", reason="speed_unknown")
    up, down = _server(trial).speeds(most, _SECONDS)
    text = f"{_rate(up)} there, {_rate(down)} back."
    if subject.bytes > _MOST:
        text = (
            f"{text} All data of this version ({amount(subject.bytes)}) takes {_estimate(subject.bytes, up)}."
        )
    detail = f"Measured with {amount(up.bytes)} there and {amount(down.bytes)} back."
    if up.per_second < _SLOW:
        advice = "The line is slow. Another network, or a cable instead of Wi-Fi, may help."
        return Found(State.WARNING, text, advice, detail, "slow")
    return Found(State.OK, text, detail=detail)


def _rate(pace: Pace) -> str:
    return f"{amount(pace.per_second)}/s"


def _estimate(size: int, pace: Pace) -> str:
    return f"about {lasting(size / max(pace.per_second, 1.0))}"


def commands(trial: Trial, subject: Subject) -> Found:
    """Whether the server can hash what it got, or the account is locked to SFTP."""
    same = _server(trial).hashes(subject.probe_name, subject.probe)
    if same is None:
        return Found(
            State.OK,
            "This account can only transfer files (SFTP). Uploads are checked by their size.",
            reason="sftp_only",
        )
    if not same:
        return Found(
            State.FAILED,
            "The server holds other bytes than the ones that were sent.",
            "Do not store data there. Have its disk and memory checked.",
            reason="other_bytes",
        )
    return Found(State.OK, "The server checks every upload by its hash.")


def content(trial: Trial, subject: Subject) -> Found:
    """What of this project's data is there already."""
    wanted = subject.objects[:_MOST_ASKED]
    if not wanted:
        return Found(State.OK, "This project tracks no data yet.", reason="nothing_tracked")
    there = trial.sizes([oid.key for oid in wanted])
    detail = (
        f"Asked for {len(wanted)} of {len(subject.objects)}." if len(wanted) < len(subject.objects) else ""
    )
    if len(there) == len(wanted):
        return Found(State.OK, f"All {len(wanted)} objects of this version are there.", detail=detail)
    text = f"{len(there)} of {len(wanted)} objects of this version are there."
    if not there:
        text = f"Nothing of this version is there yet; it has {len(wanted)} objects."
    here = subject.project.cache.present([oid for oid in wanted if oid.key not in there])
    if here:
        text = f"{text} The next push sends {amount(sum(here.values()))}."
    return Found(State.OK, text, detail=detail, reason="to_be_sent")


def _count_objects(subject: Subject) -> None:
    """Find out what the workspace's version consists of; a folder whose list is elsewhere counts as one."""
    project, found, size = subject.project, dict[ObjectId, None](), 0
    for out in project.workspace.outputs().outputs:
        if out.oid is None or not is_pushed(out) or out.remote not in (None, subject.place.name):
            continue
        found[out.oid] = None
        size += out.size or 0
        if out.oid.is_dir:
            with suppress(NotFound, Refused):
                found |= dict.fromkeys(project.cache.manifest(out.oid).objects())
    subject.objects, subject.bytes = tuple(found), size


Check = Callable[[Trial, Subject], Found]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("folder", folder),
    ("write", write),
    ("rename", rename),
    ("space", space),
    ("clock", clock),
    ("speed", speed),
    ("commands", commands),
    ("content", content),
)
