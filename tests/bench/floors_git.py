"""Every output of every tag, from one pass of `git log --raw` and one `git cat-file --batch`: the floor of versions.

    floors_git.py PROJECT

Assumes a history without merges and DVC's plain metafiles, as the jobs' own project has. Knows nothing of Modelkeep.
"""

import re
import subprocess
import sys

_OUTPUT = re.compile(rb"- md5: (\S+)\n  size: (\d+)\n(?:.*\n)*?  path: (.*)\n")


def git(project: str, *words: str, text: str = "") -> bytes:
    """The output of a git command."""
    return subprocess.run(
        ["git", "-C", project, *words], input=text.encode(), stdout=subprocess.PIPE, check=True
    ).stdout


def states(project: str) -> dict[str, dict[str, str]]:
    """For every commit, the blob of each metafile."""
    found: dict[str, dict[str, str]] = {}
    now: dict[str, str] = {}
    log = git(project, "log", "--reverse", "--raw", "--no-abbrev", "--no-renames", "--format=%H", "--all")
    for line in log.decode().splitlines():
        if line.startswith(":"):
            fields, _, path = line.partition("\t")
            if path.endswith(".dvc"):
                now[path] = fields.split()[3]
        elif line:
            now = dict(now)
            found[line] = now
    return found


def parsed(project: str, blobs: list[str]) -> dict[str, tuple[bytes, int, bytes]]:
    """What each blob names: hash, size and path."""
    said = git(project, "cat-file", "--batch", "--buffer", text="\n".join(blobs) + "\n")
    found, start = {}, 0
    for blob in blobs:
        end = said.index(b"\n", start)
        size = int(said[start:end].split()[2])
        match = _OUTPUT.search(said, end, end + 1 + size)
        if match:
            found[blob] = (match[1], int(match[2]), match[3])
        start = end + 1 + size + 1
    return found


def main() -> None:
    """Print how many outputs all tags hold together."""
    project = sys.argv[1]
    named = git(project, "for-each-ref", "--format=%(objectname) %(*objectname) %(refname)", "refs/tags")
    tags = [line.split()[-2] for line in named.decode().splitlines()]
    at = states(project)
    outputs = parsed(project, sorted({blob for state in at.values() for blob in state.values()}))
    print(sum(len([outputs[blob] for blob in at[commit].values()]) for commit in tags))


if __name__ == "__main__":
    main()
