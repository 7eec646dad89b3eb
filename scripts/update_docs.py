"""Write the pages of docs/ that are made from the product's own tables."""

from __future__ import annotations

from pathlib import Path

from harness.core.diagnosis_page import page

Path(__file__).parent.parent.joinpath("docs", "diagnosis.md").write_text(page(), encoding="utf-8")
