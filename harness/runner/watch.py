"""Waking up when the inbox changes."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

from watchfiles import watch


def end_as_at_ctrl_c() -> None:
    """Let SIGTERM, as a supervisor sends it, end this process as Ctrl-C does: in good order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def rounds(inbox: Path, *, interval: float) -> Iterator[None]:
    """Yield now, and again after each change in the inbox, at the latest every `interval` s.

    The interval also covers file systems that do not tell of changes. Ends at Ctrl-C.
    """
    inbox.mkdir(parents=True, exist_ok=True)
    # It warns of each Ctrl-C, which is how a watch is meant to end.
    logging.getLogger("watchfiles").setLevel(logging.ERROR)
    yield
    changes = watch(
        inbox,
        recursive=False,
        raise_interrupt=False,
        rust_timeout=max(1, int(interval * 1000)),
        yield_on_timeout=True,
    )
    for _ in changes:
        yield
