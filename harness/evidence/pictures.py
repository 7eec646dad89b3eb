"""Small SVG pictures of a document: latency by vantage, and the timeline of what was seen."""

from __future__ import annotations

from harness.evidence.model import Evidence


def pictures(document: Evidence) -> dict[str, str]:
    """The document's pictures by name; made from the document alone."""
    return {}
