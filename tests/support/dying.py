"""`vpm` that dies by SIGKILL right before one operation on a file: `python -m tests.support.dying
OPERATION PATTERN ARGUMENT...`.

The operation is an audit event of the interpreter (`os.link`, `os.rename`, `os.remove`) whose last
path matches the pattern; the product's own code runs unchanged.
"""

from __future__ import annotations

import os
import re
import signal
import sys

from harness.cli.main import main


def die_at(operation: str, pattern: str) -> None:
    """Kill this process before the first such operation."""
    wanted = re.compile(pattern)

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == operation:
            paths = [str(arg) for arg in args if isinstance(arg, str | os.PathLike)]
            if paths and wanted.search(paths[-1]):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    die_at(sys.argv[1], sys.argv[2])
    sys.argv = ["vpm", *sys.argv[3:]]
    main()
