"""The journal: every event of a run, one JSON line each, on disk before the run goes on."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.core.errors import NotWritten, UsageError
from harness.core.record import Event, RunRecord, decode_event, encode_event, fold_events

JOURNAL = "journal.jsonl"


class Journal:
    """Appends events to a file; each is fsynced before `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb")

    def append(self, event: Event) -> None:
        """Write one event; when this returns it survives a crash of the machine.

        Errors:
            NotWritten: the disk is full. What is missing is written before the next event.
        """
        try:
            self._file.write(encode_event(event))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise NotWritten(self.path, error) from error

    def close(self) -> None:
        """Close the file; further events are a mistake of the caller."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_events(path: Path) -> Iterator[Event]:
    """The events of a journal, which is compressed as soon as the run's evidence is written.

    A last line that was torn by a crash is left out.

    Errors:
        UsageError: there is no journal, or a line other than the last is not an event.
    """
    try:
        lines = _content(path).split(b"\n")
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(
            f"{path}: no journal can be read: {getattr(error, 'strerror', None) or error}",
            mend="name a run folder, such as reports/runs/<run_id>",
        ) from error
    *whole, torn = lines
    for number, line in enumerate(whole, start=1):
        try:
            yield decode_event(line)
        except UsageError as error:
            if number == len(whole) and not torn:
                return
            raise UsageError(f"{path}:{number}:1: {error.message}") from error


def _content(path: Path) -> bytes:
    packed = path.with_name(f"{path.name}.gz")
    if packed.exists() and not path.exists():
        return gzip.decompress(packed.read_bytes())
    return path.read_bytes()


def read_record(path: Path) -> RunRecord:
    """The record of a journal file, complete or not.

    Errors:
        UsageError: as `read_events`; also for a journal without its first event.
    """
    return fold_events(read_events(path))
