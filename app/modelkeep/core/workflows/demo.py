"""The demonstration: a small but lifelike project, made with the same recipes a user's own would be.

A Git repository with a dataset of small images and a table, a model, params and metrics that change, a few
tags (one in GTO form), two branches, a local-folder remote, and one version that was never pushed.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import struct
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from modelkeep.core.credentials import MemoryVault
from modelkeep.core.engine.history import History
from modelkeep.core.errors import Refused
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.settings import Settings
from modelkeep.core.workflows import data, setup
from modelkeep.core.workflows.publish import plan_publish, publish

_PROJECT = "flower-classifier"
_SPECIES = (
    ("daisy", (250, 210, 70)),
    ("rose", (200, 40, 70)),
    ("tulip", (240, 120, 60)),
    ("iris", (90, 70, 190)),
)
_README = """# Flower classifier

A demonstration project of Modelkeep: `data/` and `models/` are tracked with DVC metafiles, their content
lies in the storage folder beside this project. Change anything; nobody else depends on it.
"""


def make_demo(folder: Path | str, progress: Progress = SILENT, settings: Settings | None = None) -> Path:
    """Make the demonstration in `folder` (created; refused if it holds anything) and return the project.

    Takes a second or two, needs no network and no identity: commits are made by a demo author unless Git
    knows the user. On cancel or failure the folder is removed again.
    """
    target = Path(folder).absolute()
    if target.exists() and any(target.iterdir()):
        raise Refused(f"The folder {target} is not empty.", hint="Choose a new or empty folder.")
    existed = target.exists()
    try:
        return _Demo(target, progress, settings).make()
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        if existed:
            target.mkdir()
        raise


def find_demo(folder: Path | str) -> Path | None:
    """The project of a demonstration made earlier in `folder`, if it is there."""
    root = Path(folder).absolute() / _PROJECT
    return root if (root / ".dvc").is_dir() else None


class _Demo:
    def __init__(self, folder: Path, progress: Progress, settings: Settings | None) -> None:
        self.folder = folder
        self.root = folder / _PROJECT
        self.progress = progress.child("Making the demonstration", files=6)
        self.settings = settings
        self.now = datetime.now().astimezone().replace(microsecond=0)
        self.random = random.Random(2026)  # noqa: S311 - the same pictures every time, not a secret

    def make(self) -> Path:
        storage, upstream = self.folder / "storage", self.folder / "flower-classifier.git"
        storage.mkdir(parents=True)
        setup.init(self.root)
        History.init(upstream, bare=True)
        history = History.open(self.root)
        if history.identity() is None:
            history.set_identity("Modelkeep Demo", "demo@modelkeep.example")
        history.add_git_remote("origin", str(upstream))
        project = Project.open(self.root, vault=MemoryVault(), settings=self.settings)
        try:
            setup.add_remote(project, "storage", str(storage), default=True)
            self._versions(project)
        finally:
            project.close()
        return self.root

    def _ago(self, project: Project, days: float) -> None:
        """The story is told over months, as a real one is."""
        project.git().set_moment(self.now - timedelta(days=days))

    def _versions(self, project: Project) -> None:
        self._ago(project, 78)
        self._write("README.md", _README.encode())
        self._train(lr=0.1, epochs=5, accuracy=0.71)
        self._images(6)
        self._table(120)
        self._model(1)
        data.add(project, ["data/images", "data/labels.csv", "models/classifier.safetensors"])
        project.git().stage(["README.md", "params.yaml", "metrics.json"])
        project.git().commit_staged("Start the flower classifier")
        self._ago(project, 75)
        self._publish(project, "v1.0", "First usable model: four species, 24 pictures")

        self._images(10)
        self._table(200)
        self._train(lr=0.05, epochs=12, accuracy=0.83)
        self._ago(project, 47)
        self._commit_code(project, "Train longer on more pictures")
        self._model(2)
        self._ago(project, 45.8)
        self._publish(project, "v1.1", "More pictures, better labels\n\nAccuracy rises from 0.71 to 0.83.")

        self._model(3)
        self._train(lr=0.02, epochs=20, accuracy=0.88)
        self._ago(project, 22)
        self._commit_code(project, "Lower the learning rate")
        self._ago(project, 20.7)
        self._publish(project, "classifier@v1.2.0", "Registering artifact classifier version v1.2.0")

        self._branch(project)
        self._unpushed(project)

    def _branch(self, project: Project) -> None:
        """A second line of work, pushed as a branch only."""
        history = project.git()
        self._ago(project, 8.3)
        home, commit = history.head()
        history.branch_create("augmented-data", commit)
        history.switch("refs/heads/augmented-data")
        self._images(14)
        data.add(project, ["data/images"])
        history.commit(["data/images.dvc"], "Try augmented pictures", self.progress)
        data.push(project)
        history.push("origin", ("refs/heads/augmented-data:refs/heads/augmented-data",), self.progress)
        history.switch(f"refs/heads/{home}")
        data.checkout(project, force=True)
        self.progress.advance(files=1)

    def _unpushed(self, project: Project) -> None:
        """A version whose data never left this machine, and a change that is in no version yet."""
        history = project.git()
        self._ago(project, 1.9)
        self._model(4)
        self._train(lr=0.02, epochs=30, accuracy=0.90)
        data.add(project, ["models/classifier.safetensors"])
        history.commit(
            ["models/classifier.safetensors.dvc", "params.yaml", "metrics.json"],
            "Train once more",
            self.progress,
        )
        _, head = history.head()
        history.tag("v1.3-rc1", "Candidate for 1.3: not pushed yet", head)
        self._table(230)
        self.progress.advance(files=1)

    def _publish(self, project: Project, version: str, message: str) -> None:
        publish(project, plan_publish(project, version, message))
        self.progress.advance(files=1)

    def _commit_code(self, project: Project, message: str) -> None:
        project.git().commit(["params.yaml", "metrics.json"], message, self.progress)

    # -- content ---------------------------------------------------------------------------------------

    def _write(self, name: str, content: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    def _train(self, *, lr: float, epochs: int, accuracy: float) -> None:
        self._write("params.yaml", f"train:\n  lr: {lr}\n  epochs: {epochs}\n  seed: 7\n".encode())
        metrics = {"accuracy": accuracy, "loss": round(1.2 - accuracy, 3), "epochs": epochs}
        self._write("metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())

    def _images(self, each: int) -> None:
        for name, colour in _SPECIES:
            for number in range(1, each + 1):
                path = f"data/images/{name}/{name}_{number:02}.png"
                if not (self.root / path).exists():
                    self._write(path, _flower(colour, number, self.random))

    def _table(self, rows: int) -> None:
        chance = random.Random(rows)  # noqa: S311 - sample data
        lines = ["id,species,petal_length,petal_width"]
        for number in range(1, rows + 1):
            species = _SPECIES[number % len(_SPECIES)][0]
            lines.append(f"{number},{species},{chance.uniform(1, 7):.2f},{chance.uniform(0.1, 2.5):.2f}")
        self._write("data/labels.csv", ("\n".join(lines) + "\n").encode())

    def _model(self, generation: int) -> None:
        shapes = {
            "conv1.weight": (16, 3, 3, 3),
            "conv2.weight": (32, 16, 3, 3),
            "head.weight": (len(_SPECIES), 512),
        }
        self._write("models/classifier.safetensors", _safetensors(shapes, generation))


def _flower(colour: tuple[int, int, int], number: int, chance: random.Random, size: int = 96) -> bytes:
    """A small PNG: a flower of `colour` on a meadow, a little different each time."""
    petals, turn = 5 + number % 4, chance.uniform(0, math.pi)
    reach = size * chance.uniform(0.32, 0.44)
    middle = size / 2
    rows = []
    for y in range(size):
        row = bytearray(b"\0")
        for x in range(size):
            dx, dy = x - middle, y - middle
            radius = math.hypot(dx, dy)
            edge = reach * (0.62 + 0.38 * math.cos(petals * (math.atan2(dy, dx) + turn)))
            if radius < size * 0.1:
                row += bytes((120, 80, 20))
            elif radius < edge:
                shade = 0.75 + 0.25 * radius / reach
                row += bytes(min(255, int(part * shade)) for part in colour)
            else:
                green = 120 + (x * 7 + y * 13 + number) % 30
                row += bytes((70, green, 60))
        rows.append(bytes(row))
    return _png(size, rows)


def _png(size: int, rows: Iterable[bytes]) -> bytes:
    def part(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + part(b"IDAT", zlib.compress(b"".join(rows)))
        + part(b"IEND", b"")
    )


def _safetensors(shapes: dict[str, tuple[int, ...]], seed: int) -> bytes:
    """A valid safetensors file: 8 bytes of header length, a JSON header, then the numbers."""
    chance = random.Random(seed)  # noqa: S311 - sample data
    header: dict[str, object] = {"__metadata__": {"format": "pt", "generation": str(seed)}}
    body = bytearray()
    for name, shape in shapes.items():
        count = math.prod(shape)
        start = len(body)
        body += struct.pack(f"<{count}f", *(chance.gauss(0, 0.1) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, len(body)]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body)
