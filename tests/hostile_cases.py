"""The corpus of hostile repositories: name -> (what is planted, the commands that meet it)."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import builders
from hostile import Place, Plant

Commands = tuple[tuple[str, ...], ...]
LOOK: Commands = (("status",), ("show",))
MOVE: Commands = (("status",), ("checkout", "--force"), ("pull", "--force"))
ALL: Commands = (("status", "--json"), ("show",), ("checkout", "--force"), ("add", "new.bin"))
OUT = "outs:\n- md5: {md5}\n  size: 9\n  hash: md5\n  path: {path}\n"
DEEP = "[" * 100_000
BIDI = "\u202egpj.exe\u200b\x1b]0;owned\x07\x1b[2J"
A = "0cc175b9c0f1b6a831c399e269772661"


def record(place: Place, **changes: object) -> dict[str, object]:
    """A journal of a publish as Modelkeep writes it, with `changes`."""
    head = builders.git(place.project, "rev-parse", "HEAD")
    known = {"version": "v2", "message": "m", "branch": "main", "add": [], "commit_paths": [], "remote": None}
    known |= {"git_remote": None, "base": head, "before": {}, "step": "add"}
    return known | changes


def kept(place: Place, **changes: object) -> dict[str, object]:
    """A record of replaced files as Modelkeep writes it, with `changes`."""
    known = {"when": "2026-01-01T00:00:00+00:00", "folder": "", "metafiles": {}}
    return known | {"files": {"owned.txt": [place.name, 9, 0o755]}} | changes


def _undo(**before: str | None) -> Plant:
    return lambda p: p.own(
        "publish.json", record(p, before={k.replace("_", "/"): v for k, v in before.items()})
    )


UNDO: Commands = (("publish", "--undo"),)
RESUME: Commands = (("publish", "--resume"),)
BACK: Commands = (("restore", "--replaced"), ("restore", "--bring-back", "x"))
HOOK = "IyEvYmluL3NoCnRvdWNoICIkTUFSS0VSIgo="


def _git_config(text: str) -> Plant:
    def plant(place: Place) -> None:
        with open(place.project / ".git/config", "a") as file:
            file.write(text)
        (place.project / "new.txt").write_text("x")

    return plant


def _dir_rows(*rows: object) -> Plant:
    return lambda p: p.folder_of(list(rows))


def _config(text: str) -> Plant:
    return lambda p: (p.project / ".dvc/config").write_text(text.format(o=p.outside, p=p.project))


def _pipeline(yaml: str, **more: str) -> Plant:
    def plant(place: Place) -> None:
        builders.write_tree(
            place.project, {"dvc.yaml": yaml, **{k.replace("_", "."): v for k, v in more.items()}}
        )

    return plant


def _manifest(make: str) -> Plant:
    """A manifest nobody has read yet, as something that is no file."""

    def plant(place: Place) -> None:
        name = place.folder_of([{"md5": A, "relpath": make}])
        for root in ("cache", "storage"):
            path = place.object(root, f"{name}.dir")
            place.pipe(path) if make == "pipe" else place.swap(path, make)

    return plant


def _objects(make: str) -> Plant:
    def plant(place: Place) -> None:
        (place.project / "model.bin").unlink()
        for root in ("cache", "storage"):
            path = place.object(root, place.name)
            path.unlink()
            if make == "pipe":
                os.mkfifo(path)
            elif make == "folder":
                builders.write_tree(path, {"x": "y"})
            else:
                path.symlink_to(place.outside / "precious.txt" if make == "link" else make)

    return plant


METAFILES: dict[str, tuple[Plant, Commands]] = {
    "path up": (lambda p: p.metafile(OUT.format(md5=p.name, path="../outside/owned")), ALL),
    "path absolute": (lambda p: p.metafile(OUT.format(md5=p.name, path=p.outside / "owned")), ALL),
    "path in .git": (lambda p: p.metafile(OUT.format(md5=p.name, path=".git/hooks/post-checkout")), ALL),
    "path in .dvc": (lambda p: p.metafile(OUT.format(md5=p.name, path=".dvc/tmp/lock")), ALL),
    "wdir up": (lambda p: p.metafile("wdir: ../outside\n" + OUT.format(md5=p.name, path="owned")), ALL),
    "md5 traversal": (lambda p: p.metafile(OUT.format(md5="../../../../outside/precious.txt", path="x")), ALL),
    "size huge": (lambda p: p.metafile(OUT.format(md5=p.name, path="x").replace("9\n", "9" * 400 + "\n")), ALL),
    "size negative": (lambda p: p.metafile(OUT.format(md5=p.name, path="x").replace("size: 9", "size: -9")), ALL),
    "yaml bomb": (lambda p: p.metafile("a: &a [x,x]\nb: &b [*a,*a]\nouts: [*b]\n"), ALL),
    "yaml deep": (lambda p: p.metafile("meta: " + DEEP[:20_000]), ALL),
    "bidi names": (lambda p: p.metafile(OUT.format(md5=p.name, path=json.dumps(BIDI)), "e.dvc"), ALL),
    "metafile is a pipe": (lambda p: p.pipe(p.project / "model.bin.dvc"), ALL),
    "metafile is endless": (lambda p: p.link("model.bin.dvc", "/dev/zero"), ALL),
    "add over a linked metafile": (lambda p: p.link("new.bin.dvc", p.outside / "precious.txt"), (("add", "new.bin"),)),
    "add over a piped metafile": (lambda p: p.pipe(p.project / "new.bin.dvc"), (("add", "new.bin"),)),
    "add over a linked gitignore": (lambda p: p.link(".gitignore", p.outside / "precious.txt"), (("add", "new.bin"),)),
    "manifest up": (_dir_rows({"md5": A, "relpath": "../../outside/owned"}), MOVE),
    "manifest in .git": (_dir_rows({"md5": A, "relpath": "x/.git/config"}), MOVE),
    "manifest clash": (_dir_rows({"md5": A, "relpath": "a"}, {"md5": A, "relpath": "a/b"}), MOVE),
    "manifest md5": (_dir_rows({"md5": "../../../outside/precious.txt", "relpath": "a"}), MOVE),
    "manifest nonsense": (_dir_rows(1, [], None), MOVE),
    "manifest is a pipe": (_manifest("pipe"), MOVE),
    "manifest is endless": (_manifest("/dev/zero"), MOVE),
    "object is a link": (_objects("link"), MOVE),
    "object is a pipe": (_objects("pipe"), MOVE),
    "object is endless": (_objects("/dev/zero"), MOVE),
    "object is a folder": (_objects("folder"), MOVE),
}  # fmt: skip


def _linked(relpath: str) -> Plant:
    def plant(place: Place) -> None:
        place.link(relpath, place.outside)
        (place.project / "model.bin").unlink()  # so that there is something to check out

    return plant


LINKS: dict[str, tuple[Plant, Commands]] = {
    "parent is a link": (lambda p: p.link("data", p.outside), (("add", "data/precious.txt"), *MOVE, ("add", "data"))),
    "parent is .git/hooks": (lambda p: p.link("data", ".git/hooks"), MOVE),
    "output is a link": (lambda p: p.link("model.bin", p.outside / "precious.txt"), ALL),
    "metafile under a link": (lambda p: p.link("ways", p.outside), (("add", "new.bin", "--file", "ways/new.bin.dvc"),)),
    "metafile outside": (lambda p: None, (("add", "new.bin", "--file", "../outside/n.dvc"), ("add", "new.bin", "--file", ".git/n.dvc"))),
    ".dvc/tmp is a link": (_linked(".dvc/tmp"), ALL),
    "own state is a link": (_linked(".dvc/tmp/modelkeep"), ALL),
    "own base is a link": (lambda p: p.link(".dvc/tmp/modelkeep/stat.sqlite", p.outside / "precious.txt"), ALL),
    "own base is a pipe": (lambda p: p.pipe(p.project / ".dvc/tmp/modelkeep/stat.sqlite"), ALL),
    "quarantine is a link": (lambda p: (p.link(".dvc/tmp/modelkeep/quarantine", p.outside), _objects("folder")(p)), MOVE),
    "lock is a link": (lambda p: p.link(".dvc/tmp/lock", p.outside / "precious.txt"), ALL),
    "lock is a pipe": (lambda p: p.pipe(p.project / ".dvc/tmp/lock"), ALL),
    "rwlock is a link": (lambda p: p.link(".dvc/tmp/rwlock", p.outside / "precious.txt"), ALL),
    "rwlock is a pipe": (lambda p: p.pipe(p.project / ".dvc/tmp/rwlock"), ALL),
    "rwlock is deep": (lambda p: builders.write_tree(p.project / ".dvc/tmp", {"rwlock": DEEP}), ALL),
    "cache is a carried link": (lambda p: _carry(p, ".dvc/cache", p.outside), ALL),
    "cache part is a link": (lambda p: p.link(".dvc/cache/files", p.outside), ALL),
    "ignore file is endless": (lambda p: p.link(".dvcignore", "/dev/zero"), ALL),
    "ignore file is a pipe": (lambda p: p.pipe(p.project / ".dvcignore"), ALL),
    "config is endless": (lambda p: p.link(".dvc/config", "/dev/zero"), LOOK),
    "config is a pipe": (lambda p: p.pipe(p.project / ".dvc/config.local"), LOOK),
    "config is a folder": (lambda p: (p.project / ".dvc/config.local").mkdir(), LOOK),
    "parameters are endless": (lambda p: (p.link("params.yaml", "/dev/zero"), _pipeline("stages:\n  a:\n    cmd: x\n    outs:\n    - ${b}\n")(p)), LOOK),
    "storage holds a linked folder": (lambda p: _storage_link(p), (("push",), ("status", "-c"))),
}  # fmt: skip


def _carry(place: Place, relpath: str, target: Path) -> None:
    place.link(relpath, target)
    _commit(place, relpath)


def _commit(place: Place, relpath: str) -> None:
    builders.git(place.project, "add", "--force", relpath)
    builders.git(place.project, "commit", "--quiet", "-m", "evil")


def _storage_link(place: Place) -> None:
    (place.project / "model.bin").write_text("brand new")
    digest = hashlib.md5(b"brand new").hexdigest()
    place.metafile(OUT.format(md5=digest, path="model.bin"))
    builders.put_object(place.project / ".dvc/cache", b"brand new")
    (place.storage / "files/md5" / digest[:2]).symlink_to(place.outside)


RECORDS: dict[str, tuple[Plant, Commands]] = {
    "undo writes a hook": (_undo(**{".git_hooks_post-checkout": HOOK}), UNDO),
    "undo writes git's config": (_undo(**{".git_config": HOOK}), UNDO),
    "undo removes git's config": (_undo(**{".git_config": None}), UNDO),
    "undo removes code": (_undo(**{"new.bin": None}), UNDO),
    "undo leads up": (_undo(**{".._outside_precious.txt": HOOK}), UNDO),
    "undo of a ref by option": (lambda p: p.own("publish.json", record(p, tag="0" * 40, version="--all", commit="x")), UNDO),
    "undo moves a strange branch": (lambda p: p.own("publish.json", record(p, branch="../../config", commit="0" * 40)), UNDO),
    "undo asks a strange server": (lambda p: p.own("publish.json", record(p, git_pushing=True, git_remote="ext::sh -c 'touch x'")), UNDO),
    "resume to a strange server": (lambda p: p.own("publish.json", record(p, git_remote="--upload-pack=touch x")), RESUME),
    "resume adds outside": (lambda p: p.own("publish.json", record(p, add=["../outside/precious.txt"])), RESUME),
    "resume commits .git": (lambda p: p.own("publish.json", record(p, commit_paths=["../outside", ".git/config"])), RESUME),
    "resume at no step": (lambda p: p.own("publish.json", record(p, step="evil")), RESUME),
    "journal of nothing": (lambda p: p.own("publish.json", {}), (*UNDO, *RESUME, ("status",))),
    "journal of lists": (lambda p: p.own("publish.json", record(p, before=[1], add=3, commit_paths={"a": 1}, version=[])), (*UNDO, *RESUME)),
    "journal is deep": (lambda p: p.own("publish.json", DEEP), (*UNDO, *RESUME, ("status",))),
    "journal is endless": (lambda p: p.link(".dvc/tmp/modelkeep/publish.json", "/dev/zero"), (*UNDO, *RESUME)),
    "journal is a pipe": (lambda p: p.pipe(p.project / ".dvc/tmp/modelkeep/publish.json"), (*UNDO, *RESUME)),
    "checkout journal is deep": (lambda p: p.own("op.json", DEEP), ALL),
    "checkout journal is a pipe": (lambda p: p.pipe(p.project / ".dvc/tmp/modelkeep/op.json"), ALL),
    "record leads outside": (lambda p: p.own("replaced/x.json", kept(p, folder=str(p.outside))), BACK),
    "record of a hook": (lambda p: p.own("replaced/x.json", kept(p, folder=str(p.project / ".git/hooks"))), BACK),
    "record up": (lambda p: p.own("replaced/x.json", kept(p, files={"../outside/owned": [p.name, 9, 0o755]})), BACK),
    "record is endless in size": (lambda p: p.own("replaced/x.json", kept(p, files={"a": [p.name, float("inf"), 0o755]})), BACK),
    "record is deep": (lambda p: p.own("replaced/x.json", DEEP), BACK),
    "record is a pipe": (lambda p: p.pipe(p.project / ".dvc/tmp/modelkeep/replaced/x.json"), BACK),
    "record writes git's config": (lambda p: p.own("replaced/x.json", kept(p, files={}, metafiles={".git/config": "x"})), BACK),
    "record's name leads up": (lambda p: None, (("restore", "--bring-back", "../publish"),)),
}  # fmt: skip

SETTINGS: dict[str, tuple[Plant, Commands]] = {
    "cache outside": (_config("[cache]\n    dir = {o}\n"), ALL),
    "cache by a tracked local config": (lambda p: _tracked_local(p), ALL),
    "storage in .git": (_config("[core]\n remote = r\n['remote \"r\"']\n url = {p}/.git/hooks\n"), (("push",), ("pull",))),
    "storage in .ssh": (_config("[core]\n remote = r\n['remote \"r\"']\n url = ~/.ssh\n"), (("push",),)),
    "storage by a link to .git": (lambda p: (p.link("ways", ".git"), _config("[core]\n remote = r\n['remote \"r\"']\n url = ../ways/hooks\n")(p)), (("push",),)),
    "jobs absurd": (_config("[core]\n remote = r\n['remote \"r\"']\n url = /tmp/none\n jobs = 999999999999999\n"), LOOK),
    "config bytes": (lambda p: (p.project / ".dvc/config").write_bytes(b"\xff\xfe\0[["), LOOK),
    "pipeline bomb": (_pipeline("stages:\n  a:\n    matrix: {a: &x [1,2,3,4,5,6,7,8,9], b: *x, c: *x, d: *x}\n    cmd: x\n"), LOOK),
    "matrix bomb": (_pipeline("stages:\n  a:\n    matrix:\n" + "".join(f"      k{i}: [1,2,3,4,5,6,7,8,9]\n" for i in range(12)) + "    cmd: x\n    outs: ['${item.k0}']\n"), LOOK),
    "template grows": (_pipeline("vars:\n- a: " + "x" * 60000 + "\nstages:\n  s:\n    cmd: x\n    outs: ['" + "${a}" * 5000 + "']\n"), LOOK),
    "template up": (_pipeline("vars:\n- ../outside/precious.txt\nstages:\n  s:\n    cmd: x\n    outs: ['${a}']\n"), LOOK),
    "wildcards": (lambda p: builders.write_tree(p.project, {".dvcignore": "*a*a*a*\n**/**/**/**/**/**/**/b\n", "a" * 200: "x", "a/" * 60 + "c": "x"}), LOOK),
    "git worktree elsewhere": (_git_config("[core]\n worktree = ../outside\n"), ALL),
    "git filter": (_git_config('[filter "evil"]\n clean = touch "$MARKER"\n'), (("status",), ("publish", "v9", "-n"))),
    "git fsmonitor": (_git_config('[core]\n fsmonitor = touch "$MARKER"\n'), (("status",), ("versions",), ("publish", "v9", "-n"))),
    "undecodable names": (lambda p: _undecodable(p), (("versions", "--json"), ("versions",), *ALL, ("diff", "--json"))),
    "hostile words": (lambda p: _words(p), (("versions",), ("show", "v6"), ("publish", "v7", "-n"), ("restore", "v6", "-n"))),
    "git cookie file": (_git_config("[http]\n cookieFile = {0}\n saveCookies = true\n"), (("status",), ("versions",))),
}  # fmt: skip


def _undecodable(place: Place) -> None:
    head = builders.git(place.project, "rev-parse", "HEAD")
    for folder in (b"/.git/refs/heads/", b"/.git/refs/tags/"):
        with open(os.fsencode(place.project) + folder + b"b\xffd", "w") as file:
            file.write(head + "\n")
    with open(os.fsencode(place.project) + b"/f\xff.dvc", "w") as file:
        file.write(OUT.format(md5=place.name, path="f"))
    with open(os.fsencode(place.project) + b"/data/g\xff", "w") as file:
        file.write("g")


def _words(place: Place) -> None:
    builders.git(place.project, "config", "user.name", BIDI)
    builders.make_commit(place.project, {f"{BIDI}.txt".replace("/", "_"): "x"}, BIDI)
    builders.make_tag(place.project, "v6", BIDI)


def _tracked_local(place: Place) -> None:
    (place.project / ".dvc/config.local").write_text(f"[cache]\n    dir = {place.outside}\n")
    _commit(place, ".dvc/config.local")


def _lines() -> dict[str, tuple[Plant, Commands]]:
    texts = (
        "--output=owned",
        "-x",
        "--upload-pack=touch x",
        "HEAD:../../outside",
        "v1^{/x}",
        "@{-99999}",
        "..",
        BIDI,
    )
    words = ("show", "restore", "export", "diff")
    return {
        f"version {text!r}": (
            lambda p: None,
            tuple((word, "--", text, *(("here",) if word == "export" else ())) for word in words),
        )
        for text in texts
    }


CASES = {**METAFILES, **LINKS, **RECORDS, **SETTINGS, **_lines()}
