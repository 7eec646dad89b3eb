"""Evidence: what a run claimed and saw, in a form that a person reads and a machine checks.

`EvidenceStore` is the only writer below `reports/`; `write_evidence` turns a judged run into its
documents; `verify` finds what was edited, is stale or cannot be true.
"""

from __future__ import annotations

from harness.evidence.model import Evidence
from harness.evidence.stamps import new_run_id
from harness.evidence.store import EvidenceStore, RunFolder
from harness.evidence.write import write_evidence

__all__ = ["Evidence", "EvidenceStore", "RunFolder", "new_run_id", "write_evidence"]
