"""Runs a command on a terminal of its own and types when it has said something.

Usage: terminal.py TRANSCRIPT [--type TEXT KEYS]... -- COMMAND...

Each `--type` waits until TEXT was seen on the terminal and then sends KEYS, in which
`^C` is Ctrl-C. What was shown goes to TRANSCRIPT. Exits as the command does.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

LIMIT_SECONDS = 120


def main() -> int:
    transcript, typing, command = parse(sys.argv[1:])
    child, terminal = pty.fork()
    if child == 0:
        # Rows and columns; a terminal of size 0 would have no lines to draw on.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.execvp(command[0], command)
    shown, seen_until, deadline = b"", 0, time.monotonic() + LIMIT_SECONDS
    with open(transcript, "wb") as file:
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    data = os.read(terminal, 65536)
                except OSError:  # the other side is closed
                    break
                if not data:
                    break
                shown += data
                file.write(data)
                file.flush()
            while typing and typing[0][0] in shown[seen_until:]:
                text, keys = typing.pop(0)
                seen_until = shown.index(text, seen_until) + len(text)
                os.write(terminal, keys)
        else:
            os.kill(child, 9)
            print(f"terminal.py: no end within {LIMIT_SECONDS} s", file=sys.stderr)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def parse(arguments):
    transcript, rest, typing = arguments[0], arguments[1:], []
    while rest[0] == "--type":
        typing.append((rest[1].encode(), rest[2].replace("^C", "\x03").encode()))
        rest = rest[3:]
    assert rest[0] == "--", "a -- before the command"
    return transcript, typing, rest[1:]


sys.exit(main())
