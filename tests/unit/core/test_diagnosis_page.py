"""docs/diagnosis.md says what the tables say."""

from __future__ import annotations

from pathlib import Path

from harness.core.causes import CAUSES
from harness.core.diagnosis_page import page
from harness.core.outcome import HOP_OF
from harness.core.situations import SITUATIONS

DOCS = Path(__file__).parents[3] / "docs" / "diagnosis.md"


def test_the_page_is_made_from_the_tables() -> None:
    assert DOCS.read_text(encoding="utf-8") == page(), "run: python scripts/update_docs.py"


def test_every_row_and_every_outcome_is_on_the_page() -> None:
    text = page()
    assert [row.finding for row in (*SITUATIONS, *CAUSES) if row.finding not in text] == []  # type: ignore[attr-defined]
    assert [outcome for outcome in HOP_OF if f"`{outcome}`" not in text] == []


def test_every_line_of_a_table_has_as_many_cells_as_its_head() -> None:
    heads = {"| diagnosis | READY": 8, "| diagnosis | named": 6, "| hop |": 2}
    wide = 0
    for line in page().splitlines():
        if not line.startswith("|"):
            continue
        wide = next((n for head, n in heads.items() if line.startswith(head)), wide)
        cells = line.replace("\\|", "").strip("|").split("|")
        assert len(cells) == wide, line
