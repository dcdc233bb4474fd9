"""Trees of data that are easy to get wrong, and what to compare after two programs recorded the same ones."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import builders

EXECUTABLE = ("run.sh", "tools/go.sh")
DVCIGNORE = "*.tmp\nscratch/\n!keep.tmp\n"

_SORTING = {
    "a b": "4\n", "a-d": "3\n", "a.d/z": "2\n", "a/z": "1\n", "new\nline": "nl", 'qu"ote\\back': "q", "x_B": "B",
    "x_Z": "Z", "x_a b": "a b", "x_a-b": "a-b", "x_a.txt": "a.txt", "x_a_b": "a/b", "x_~": "~", "x_é": "é",
    "x_𝒳": "𝒳", "é": "e", "！": "fw", "𝒳": "m",
}  # fmt: skip

#: Each top-level name is one output.
OUTPUTS: dict[str, builders.Tree | str | bytes] = {
    "so": _SORTING,
    "mw": {"Z": "", "a b": "22", "z-1": "\r\n", "z/é.txt": "1", "z/𝒳": "x"},
    "two words": {
        "one file.txt": "1",
        "데이터/셋.csv": "2",
        "# hash": "3",
        "-rf": "4",
        "'single' \"double\"": "5",
    },
    "데이터": {"한글 이름.bin": b"\0\1\2", "e\u0301": "nfd", "\u00e9": "nfc"},
    "empty": {},
    "hollow": {"sub/deeper/": ""},
    "ignoring": {"a.txt": "a", "b.tmp": "no", "keep.tmp": "yes", "scratch/x": "no", "in/scratch/y": "no"},
    "hidden": {".h/i": "1", ".gitignore": "x"},
    "tools": {"go.sh": "#!/bin/sh\n", "plain": "x"},
    "deep/er/data": {"x": "1", "y/z": "2"},
    "deep/er/file.bin": b"\xff" * 1000,
    "run.sh": "#!/bin/sh\necho hi\n",
    "nothing": "",
    "digits": "682577\n",
    "exponent": "574565\n",
    "no": "yaml 1.1",
    "12": "int",
    "1.5": "float",
    "null": "none",
    "0o17": "octal",
    "2020-01-01": "date",
    "1:30": "sexagesimal",
    "# comment": "c",
    "- dash": "d",
    'it\'s "quoted"': "q",
    "we[ird]*?!.txt": "w",
    "covered.skip": "ignored by git already",
    "a_file_with_a_really_long_name_that_makes_the_line_exceed_eighty_columns_for_sure_x.bin": "l",
    "file name with spaces and more words to be wrapped around the eightieth column, ok.txt": "l",
}


#: (manifest, bytes, files) that DVC itself gave some of them (dvc-format, appendix B).
VECTORS = {
    "so": ("78a083c321cbe6b094f7b866b5697afe", 38, 18),
    "mw": ("f098129cb2f26d81ffe98a330318bb2a", 6, 5),
    "empty": ("d751713988987e9331980363e24189ce", 0, 0),
    "hollow": ("d751713988987e9331980363e24189ce", 0, 0),
}


def write_outputs(project: Path) -> list[str]:
    """Write all OUTPUTS and a few random folders into `project`; returns the targets to add."""
    builders.write_tree(project, {".dvcignore": DVCIGNORE, ".gitignore": "*.skip\n"})
    for name, content in OUTPUTS.items():
        if isinstance(content, (str, bytes)):
            builders.write_tree(project, {name: content})
        else:
            builders.write_tree(project / name, content)
    for seed in range(6):
        builders.write_tree(project / f"random{seed}", random_tree(seed))
    for name in EXECUTABLE:
        (project / name).chmod(0o755)
    return [*OUTPUTS, *(f"random{seed}" for seed in range(6))]


def random_tree(seed: int) -> dict[str, bytes]:
    """A folder of up to forty files with names and contents from a seeded dice."""
    dice = random.Random(seed)
    files: dict[str, bytes] = {}
    for number in range(dice.randrange(1, 40)):
        folder = dice.choice(["", "", "sub/", "sub/deeper/", "다른 곳/"])
        files[folder + _name(dice) + f"x{number}"] = _content(dice)
    return files


_LETTERS = "abAB01 ._-~#'\"éЖ한𝒳！[]{}:;,%&=+\\\t\u0301"


def _name(dice: random.Random) -> str:
    return "".join(dice.choices(_LETTERS, k=dice.randrange(1, 12))).strip(". ")


def _content(dice: random.Random) -> bytes:
    """Binary, or text with either line end: sometimes nothing, sometimes the same as another file's."""
    kind = dice.randrange(4)
    if kind == 0:
        return dice.choice([b"", b"same", b"a\r\nb\r\n", b"a\nb\n"])
    if kind == 1:
        return dice.choice([b"\n", b"\r\n"]).join(
            b"line %d" % dice.randrange(9) for _ in range(dice.randrange(40))
        )
    return dice.randbytes(dice.choice([1, 100, 5000]))


def write_dice(project: Path, seed: int) -> str:
    """Write a folder, or now and then a single file, from a seeded dice; returns its name in the project."""
    dice = random.Random(-1 - seed)
    # An output is named in metafiles of every system: no backslash, and nothing like a drive.
    name = f"{_name(dice)}{seed}".translate(str.maketrans("", "", "\t\\:")).strip()
    if dice.randrange(6) == 0:
        builders.write_tree(project, {name: _content(dice)})
        (project / name).chmod(dice.choice([0o644, 0o744]))
    else:
        builders.write_tree(project / name, random_tree(seed))
    return name


def roll(place: Path, seed: int) -> None:
    """Change an output at random: some files anew, some gone, some moved; never all of them."""
    dice = random.Random(f"{place.name}{seed}")
    if place.is_file():
        _replace(place, _content(dice))
        return
    files = sorted(path for path in place.rglob("*") if path.is_file())
    for path in files[1:]:
        fate = dice.randrange(8)
        if fate == 0:
            _replace(path, _content(dice))
        elif fate == 1:
            path.unlink()
        elif fate == 2:
            path.rename(place / f"moved {dice.randrange(10**6)}")
    builders.write_tree(place, {f"new/{seed}/{_name(dice)}n": _content(dice)})


def _replace(path: Path, content: bytes) -> None:
    """As a program does that does not write into links: a file of its own."""
    path.unlink()
    path.write_bytes(content)


def texts(project: Path) -> dict[str, bytes]:
    """All metafiles and .gitignore files outside tracked folders, by path."""
    found = {}
    for path in sorted(project.rglob("*")):
        relative = path.relative_to(project)
        inside = any(
            (project / up).with_name(up.name + ".dvc").is_file() for up in relative.parents if up.name
        )
        is_text = path.name.endswith(".dvc") or path.name == ".gitignore"
        if is_text and path.is_file() and not inside and relative.parts[0] not in (".git", ".dvc"):
            found[relative.as_posix()] = path.read_bytes()
    return found


def objects(project: Path) -> dict[str, bytes]:
    """All objects in the cache by their key; temporary files are left out."""
    cache = project / ".dvc/cache"
    return {
        path.relative_to(cache).as_posix(): path.read_bytes()
        for path in sorted(cache.rglob("*"))
        if path.is_file() and not path.name.endswith(".tmp")
    }


def data(project: Path, targets: list[str]) -> dict[str, bytes]:
    """The content of all data files by path."""
    found = {}
    for target in targets:
        path = project / target
        if path.is_file():
            found[target] = path.read_bytes()
        else:
            found |= {f"{target}/{name}": text for name, text in builders.read_tree(path, without=()).items()}
    return found


def remove_data(project: Path, targets: list[str]) -> None:
    """Delete the data, as a fresh clone has none."""
    for target in targets:
        path = project / target
        if path.is_dir():
            shutil.rmtree(path)
        else:
            os.unlink(path)


def untouched(project: Path) -> dict[str, tuple[int, int, str]]:
    """Everything in the project but what is there only for the moment (`.dvc/tmp`), to compare later."""
    return {
        name: one for name, one in builders.snapshot_of(project).items() if not name.startswith(".dvc/tmp/")
    }
