"""Runs one program and prints what it cost as JSON. Started anew for every measurement; imports nothing of ours.

A program of its own because the peak memory the kernel reports for a child begins with that of the process that
started it: measured from the benchmark itself, a small program would seem as big as the benchmark.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run `argv[2:]` with its output in the file `argv[1]`; wall and CPU in seconds, peak memory in bytes."""
    output, *command = sys.argv[1:]
    with open(output, "wb") as said, open(os.devnull, "rb") as nothing:
        actions = [
            (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
            (os.POSIX_SPAWN_DUP2, said.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, said.fileno(), 2),
        ]
        began = time.perf_counter()
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
        _, status, used = os.wait4(pid, 0)
        wall = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024
    cost = {
        "code": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * unit,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
