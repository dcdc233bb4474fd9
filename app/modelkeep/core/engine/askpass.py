"""The program git and ssh start to ask for a password: passes the prompt to Modelkeep, prints its answer.

Runs as a process of its own, so it uses the standard library alone. It lies beside nothing secret: the
folder in its only variable (mode 0700) holds the socket and the one-time word that opens it.
"""

import os
import socket
import sys

FOLDER = "MODELKEEP_ASKPASS_FOLDER"


def main(prompt: str) -> int:
    """Ask for `prompt` and print the answer; 1 when the user gave none."""
    if os.environ.get("SSH_ASKPASS_PROMPT") == "none":
        return 0  # because ssh only announces something and expects no answer
    folder = os.environ[FOLDER]
    with open(os.path.join(folder, "word"), "rb") as file:
        word = file.read()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(os.path.join(folder, "socket"))
        link.sendall(word + prompt.encode("utf-8", "replace"))
        link.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    if not answer.startswith(b"+"):
        return 1
    sys.stdout.buffer.write(answer[1:] + b"\n")
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
