"""What names resolve to on this machine, asked in a process that can be ended."""

from __future__ import annotations

import subprocess
import sys

_ASK = """
import socket, sys
try:
    found = socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM)
    print(" ".join(dict.fromkeys(address[0] for *_, address in found)))
except OSError as error:
    print(f"no answer: {error}")
"""


def resolve(name: str, *, timeout: float) -> str:
    """The addresses of a name by the system's resolver, or why there are none.

    The resolver has no timeout of its own: after `timeout` seconds its process is killed.
    """
    try:
        asked = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _ASK, name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {timeout:g} s"
    except OSError as error:
        return f"could not be asked: {error.strerror}"
    return asked.stdout.strip() or f"could not be asked: exit code {asked.returncode}"
