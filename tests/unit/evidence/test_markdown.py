"""Markdown says what the JSON says, field by field, in both languages, and for a person."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.evidence.markdown import render, verdict_sentence
from harness.evidence.model import Evidence, Malformed, decode, encode
from harness.evidence.pictures import pictures
from harness.evidence.table import code, fence, prose, table
from harness.evidence.words import JAPANESE, say
from tests.support.golden import at_path, other, with_value
from tests.support.stories import Story, documents

ROOT = Path(__file__).parents[3] / "harness" / "evidence"
STORY = Story(devbox=7)
DOCUMENTS = documents(STORY)
IN_JAPANESE = documents(Story(devbox=7, language="ja"))
KINDS = sorted(DOCUMENTS)


def body(document: Evidence) -> str:
    """The Markdown without its front matter, which holds the hash of everything."""
    return render(document, run_folder="..").split("---\n", 2)[2]


def try_decode(value: Any) -> Evidence | None:
    try:
        return decode(json.dumps(value).encode())
    except Malformed:
        return None


@pytest.mark.parametrize("field", ["good", "valid", "requested", "url", "method"])
def test_the_sli_file_shows_what_its_readers_look_for(field: str) -> None:
    value = json.loads(encode(DOCUMENTS["sli"]))
    path = ("vantages", 1, "probe", field)
    changed = try_decode(with_value(value, path, other(at_path(value, path))))
    assert changed is not None
    assert body(changed) != body(DOCUMENTS["sli"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_front_matter_is_yaml_and_names_the_run(kind: str) -> None:
    front = render(DOCUMENTS[kind], run_folder="..").split("---\n")[1]
    pairs = dict(line.split(": ", 1) for line in front.splitlines())
    assert json.loads(pairs["run_id"]) == STORY.run_id
    assert json.loads(pairs["verdict"]) == DOCUMENTS[kind].claim.verdict.value


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_comes_first(kind: str) -> None:
    title, sentence = body(DOCUMENTS[kind]).strip().split("\n\n")[:2]
    assert title.startswith("# ")
    assert sentence.startswith(f"**{DOCUMENTS[kind].claim.verdict.value} for the claim")


def test_the_ready_file_keeps_the_parts_that_readers_know() -> None:
    text = body(DOCUMENTS["ready"])
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    known = ["apply", "wait (Ready)", "get ksvc (wide)"]
    assert [heading for heading in headings if heading in known] == known
    assert "ksvc/hello created" in text
    assert "\ncontext_header: repo=- / branch=- / phase=goal_m2 / track=hello\n" in text


def test_the_sli_file_keeps_the_lines_that_readers_know() -> None:
    lines = body(DOCUMENTS["sli"]).splitlines()
    start = lines.index("### devbox")
    names = [line.split(":")[0] for line in lines[start + 2 : start + 8]]
    assert names == [
        "- time (UTC)",
        "- period",
        "- success rate",
        "- requests",
        "- errors",
        "- URL and method",
    ]
    assert "- success rate: 35 % (7/20)" in lines


def test_the_matrix_names_the_broken_hop() -> None:
    row = next(line for line in body(DOCUMENTS["sli"]).splitlines() if "✗" in line or "△" in line)
    assert row.startswith("| `devbox` | ✓ 20/20 | △ 7/20 | not checked | ✓ 7/7 ")


def test_both_languages_hold_the_same_figures() -> None:
    for kind in KINDS:
        texts = (body(found[kind]) for found in (DOCUMENTS, IN_JAPANESE))
        # Sorted: the word order of a sentence differs.
        figures = [sorted(re.findall(r"\d[\d.]*", text)) for text in texts]
        assert figures[0] == figures[1], kind


def test_the_japanese_sentence() -> None:
    assert verdict_sentence(IN_JAPANESE["ready"]) == (
        "主張「default/hello は READY である」の判定: PASS (合格)。"
    )


def test_no_word_is_translated_in_vain() -> None:
    """Every entry of the table is used by the templates."""
    used: set[str] = set()
    source = "".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in (
            "markdown.py",
            "sections.py",
            "background.py",
            "matrix.py",
            "outputs.py",
            "pictures.py",
        )
    )
    used.update(word for word in JAPANESE if f'"{word}"' in source or f"'{word}'" in source)
    used.update(("PASS", "FAIL", "INCONCLUSIVE", "ERROR"))
    assert set(JAPANESE) - used == set()


def test_a_missing_word_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("ja")("no such word")


HOSTILE = st.text(alphabet=st.sampled_from("a|`*<>[]()!\\#-\n\r\t &\"'_~"), min_size=1, max_size=40)


@given(HOSTILE)
def test_text_from_outside_never_becomes_markup(text: str) -> None:
    html = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(table(["a", "b"], [[prose(text), code(text)]]))
    )
    root = ElementTree.fromstring(f"<x>{html}</x>")
    assert len(root.findall(".//tr")) == 2
    assert len(root.findall(".//tr")[1]) == 2
    assert not root.findall(".//a") + root.findall(".//img") + root.findall(".//script")


@given(st.text(alphabet=st.sampled_from("a`~\n #"), max_size=60))
def test_a_block_ends_only_where_it_is_meant_to(text: str) -> None:
    html = MarkdownIt("commonmark").render(f"{fence(text)}\n\nafter")
    assert html.endswith("<p>after</p>\n")
    assert html.count("<pre>") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_xml_and_name_their_run(kind: str) -> None:
    for picture in pictures(DOCUMENTS[kind]).values():
        ElementTree.fromstring(picture)
        assert STORY.run_id in picture


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_templates_stays_english(kind: str) -> None:
    """Headings, names of facts and columns; kubectl's words and what was observed stay."""
    known = {"SLI", "UID", "URL", "Python", "Kubernetes", "Knative", "SHA-256", "READY"}
    document = IN_JAPANESE[kind]
    own = re.findall(r"^## ([^\n]*)$", body(document), re.MULTILINE)
    parts = {"apply", "wait (Ready)", "get ksvc (wide)"}
    english = [name for name in own if name.isascii() and name not in known | parts]
    assert english == []
    assert "Timeline" not in "".join(pictures(document).values())
