"""What a runner leaves behind that was killed."""

from __future__ import annotations

from harness.runner.ledger import Entry, Ledger, Mark
from harness.runner.queue import Queue
from tests.support.runner import Desk, identity


def killed_at(desk: Desk, mark: Mark | None, *, cluster: str | None = None) -> str:
    """What a runner leaves that was killed right after this mark; returns the run's id."""
    path = desk.in_inbox(desk.contract())
    settings = desk.settings
    claim = Queue(inbox=settings.inbox, reports=settings.reports).claim(path)
    assert claim is not None
    claim.close()
    content = desk.runner().preview(desk.contract()).content_hash
    desk.kubectl.state["calls"].clear()
    uid = cluster or identity().uid
    marks: list[Mark] = ["started", "applying", "applied", "succeeded"]
    until = marks.index(mark) + 1 if mark else 0
    for name in marks[:until]:
        entry = Entry("2026-11-22T10:00:00Z", "apply_hello", content, uid, claim.run_id, name)
        Ledger(settings.ledger).append(entry)
    return claim.run_id
