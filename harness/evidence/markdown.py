"""Markdown from a document, and from nothing else."""

from __future__ import annotations

from harness.evidence.canonical import sha256
from harness.evidence.model import Evidence, encode


def render(document: Evidence, *, run_folder: str) -> str:
    """The document for a person. `run_folder` leads from the Markdown file to the run's folder."""
    claim = document.claim
    return f"""---
schema: {document.schema}
run_id: {document.run_id}
verdict: {claim.verdict.value}
sha256: {sha256(encode(document))}
run_folder: {run_folder}
---

**{claim.verdict.value}** {claim.title} {document.subject.key}: {claim.reason}
"""
