"""One process for one state directory."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class AlreadyRunning(Exception):
    """Another process serves the same state directory."""


@contextlib.contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Keep the directory, which is made when it is not there; raises AlreadyRunning."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning(f"a cluster is already running in {state_dir}") from error
        yield
