"""The durable store's own table."""

from __future__ import annotations

import threading
from pathlib import Path

from infra.embedded.storage import Row, Storage


def test_it_may_be_let_go_of_in_any_thread(tmp_path: Path) -> None:
    kept = [Storage(tmp_path / "objects.db")]
    kept[0].write(Row("v1/configmaps", "default", "a", 1, b"{}"))
    thread = threading.Thread(target=kept.clear)  # as the garbage collector may
    thread.start()
    thread.join()
    (row,), last = Storage(tmp_path / "objects.db").load()
    assert (row.name, last) == ("a", 1)
