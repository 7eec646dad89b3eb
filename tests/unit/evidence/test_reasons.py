"""Reasons in Japanese: what the judge says is translated, what servers and tools said is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.causes import CAUSES
from harness.core.situations import SITUATIONS
from harness.evidence.reasons import FINDINGS, TEMPLATES, tell
from tests.support.stories import Story, documents

japanese = tell("ja")
KANA_OR_KANJI = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
DETAIL = "127.0.0.1:80: ECONNREFUSED: Connection refused; in connect()"


def test_every_finding_of_the_diagnosis_is_translated() -> None:
    findings = {row.finding for row in (*SITUATIONS, *CAUSES)}
    assert findings - set(FINDINGS) == set()


@pytest.mark.parametrize(("english", "translated"), TEMPLATES)
def test_a_template_keeps_its_fields(english: str, translated: str) -> None:
    assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", translated))


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        (
            "READY=True, but requests do not get through: connect_refused 20/20 from devbox "
            f"({DETAIL}); 20/20 ok from in-cluster: works inside the cluster, but the gateway is "
            "not exposed on the host",
            f"READY=True だが要求が届かない: devbox から connect_refused 20/20 ({DETAIL}); "
            "in-cluster から 20/20 成功: "
            "クラスター内では動くが、ゲートウェイがホストに公開されていない",
        ),
        (
            "probe hello: the newest revision is not ready; an older one answers: "
            "3/3 ok from gateway",
            "probe hello: 最新のリビジョンは READY でなく、古いリビジョンが応答している: "
            "gateway から 3/3 成功",
        ),
        (
            "19/20 = 95.00% (95 % interval 76.39% to 99.11%) within 0.5 s, 99% wanted: missed; "
            "381 good samples would prove it",
            "0.5 秒以内が 19/20 = 95.00% (95 % 信頼区間 76.39% – 99.11%)、目標 99%: 未達; "
            "証明には成功 381 件が要る",
        ),
        (
            "sli success from devbox: no data, 99% wanted: no data",
            "devbox からの sli success: データなし (目標 99%): データなし",
        ),
        (
            "not READY after waiting 3.0 s: status.conditions[Ready]: expected True, found False",
            "3.0 秒待っても READY でない: status.conditions[Ready]: expected True, found False",
        ),
        ("upstream said: no data", "upstream said: データなし"),
        ("KeyError: oops", "KeyError: oops"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_reason_in_japanese(english: str, expected: str) -> None:
    assert japanese(english) == expected


@pytest.mark.parametrize("kind", sorted(documents(Story(devbox=7))))
def test_the_verdict_of_every_kind_of_evidence_says_why_in_japanese(kind: str) -> None:
    reason = documents(Story(devbox=7))[kind].claim.reason
    assert KANA_OR_KANJI.search(japanese(reason)), reason


@given(st.text(alphabet=";: ()axz1/", max_size=300) | st.text(max_size=300))
def test_a_text_of_somebody_else_loses_nothing(text: str) -> None:
    assert japanese(text) == text
    assert tell("en")(text) == text


@pytest.mark.parametrize(
    "text",
    ["a: " * 4_000, "x: could not run: " * 1_000, "no data: " * 222, "READY=True, but " * 125],
)
def test_a_hostile_reason_ends(text: str) -> None:
    """Nesting is bounded: neither a recursion limit nor a search without end is reached."""
    assert japanese(text)
