"""Evidence for other tools, read back with their own parsers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.core.errors import UsageError
from harness.evidence.outputs import (
    append_step_summary,
    junit_properties,
    openmetrics,
    step_summary,
    write_outputs,
)
from tests.support.stories import Story, documents

STORY = Story(devbox=0)
DOCUMENTS = list(documents(STORY).values())
BEFORE = list(documents(Story(devbox=20, at=STORY.at.replace(day=19))).values())


def samples(*groups: list[object]) -> dict[tuple[str, ...], float]:
    documents = [one for group in groups for one in group]
    text = openmetrics(documents).decode()  # type: ignore[arg-type]
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_openmetrics_hold_counts_first() -> None:
    found = samples([*DOCUMENTS])
    where = ("default/hello", "devbox")
    assert found["vpm_sli_good", *where] == 0
    assert found["vpm_sli_valid", *where] == 20
    assert found["vpm_sli_attempts", "connect_refused", *where] == 20
    assert 0 < found["vpm_sli_latency_seconds", "0.99", "default/hello", "in-cluster"] < 1
    assert found["vpm_verdict", "contradiction", "default/hello"] == 2
    assert found["vpm_captured_timestamp_seconds", "default/hello", "sli"] > 1.7e9


def test_the_newest_run_wins_whatever_the_order() -> None:
    assert samples([*DOCUMENTS], [*BEFORE]) == samples([*BEFORE], [*DOCUMENTS])
    assert samples([*BEFORE])["vpm_sli_good", "default/hello", "devbox"] == 20


def test_junit_properties_name_verdict_and_path() -> None:
    properties = dict(junit_properties(DOCUMENTS))
    assert properties["vpm.ready.default/hello.verdict"] == "PASS"
    assert properties["vpm.sli.default/hello.evidence"] == (
        f"runs/{STORY.run_id}/evidence/default.hello.sli.json"
    )
    assert len(properties) == 2 * len(DOCUMENTS)


def test_a_step_summary_is_appended(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n\n")
    append_step_summary(file, DOCUMENTS)
    text = file.read_text()
    assert text == "before\n\n" + step_summary(DOCUMENTS)
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<table>") == 2
    assert "<td>0/20</td>" in html
    assert "INCONCLUSIVE for the claim “the scenario goal_m2 holds”." in html


def test_a_run_writes_what_the_environment_asks_for(tmp_path: Path) -> None:
    page, metrics = tmp_path / "summary.md", tmp_path / "sli.prom"
    named = {"GITHUB_STEP_SUMMARY": str(page), "VPM_OPENMETRICS": str(metrics)}
    page.write_text("before\n")
    for _ in range(2):
        write_outputs(named, DOCUMENTS)
    assert page.read_text(encoding="utf-8") == "before\n" + step_summary(DOCUMENTS) * 2
    assert metrics.read_bytes() == openmetrics(DOCUMENTS)
    write_outputs({}, DOCUMENTS)
    assert sorted(tmp_path.iterdir()) == [metrics, page]


@pytest.mark.parametrize("name", ["GITHUB_STEP_SUMMARY", "VPM_OPENMETRICS"])
def test_a_file_that_cannot_be_written_is_said_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_outputs({name: str(tmp_path)}, DOCUMENTS)


def test_a_step_summary_speaks_the_language_of_its_documents() -> None:
    japanese = [replace(document, language="ja") for document in DOCUMENTS]
    text = step_summary(japanese)
    assert "| 証拠 | 判定 | 理由 |" in text
    assert "| サービス | 観測地点 | 成功 | 成功率 | 最初に途切れたホップ |" in text
    assert "| evidence |" not in text
