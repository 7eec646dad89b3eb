"""Markdown and JSON say the same: whatever field changes, what a reader sees changes.

It renders every document once for each of its fields, so it stands beside the slower tests.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from harness.evidence.markdown import render
from harness.evidence.model import Evidence, Malformed, decode, encode
from harness.evidence.pictures import pictures
from tests.support.golden import at_path, leaves, other, with_value
from tests.support.stories import Starts, Story, documents

DOCUMENTS = documents(Starts()) | documents(Story(devbox=7))


def body(document: Evidence) -> str:
    """The Markdown without its front matter, which holds the hash of everything."""
    return render(document, run_folder="..").split("---\n", 2)[2]


def everything(document: Evidence) -> str:
    """All that a reader sees: text and pictures."""
    return body(document) + "".join(pictures(document).values())


NOT_SHOWN = re.compile(
    r"schema|renderer"  # in the front matter
    r"|captured_at"  # the end of the window, which is shown
    r"|.*\.kind"  # says which type an observation is
    r"|claim\.(cites|confirms|contradicts|next_step|diagnosis|vantage|not_checked).*"
    r"|claims\.\d+\.(not_checked.*|subject)"  # under not_checked; the subject is the document's
    r"|claim\.subject"  # the contract's id, shown with the contract
    r"|origin\.source.*"
    r"|vantages\.\d+\.probe\.(service|namespace|vantage|histogram.*|samples.*)"
    r"|vantages\.\d+\.probe\.first_ids\.ok"  # what a claim rests on is cited with it
    r"|vantages\.\d+\.probe\.(good|valid|requested|url|method)"  # beside their ratio, see below
    r"|service\.(service|namespace|found|uid|generation|observed_generation|resource_version)"
    r"|service\.(image|image_digest|raw.*)"  # shown as the subject's
    r"|(load|coldstart)\.(service|namespace|raw.*)"
    r"|thresholds\.\d+\.proof_needs"
)


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_a_field_that_changes_changes_the_text(kind: str) -> None:
    document = DOCUMENTS[kind]
    value = json.loads(encode(document))
    before = everything(document)
    unseen = [
        ".".join(map(str, path))
        for path in leaves(value)
        if (changed := try_decode(with_value(value, path, different(at_path(value, path)))))
        and everything(changed) == before
    ]
    assert [name for name in unseen if not NOT_SHOWN.fullmatch(name)] == []


def different(value: Any) -> Any:
    if isinstance(value, str) and re.match(r"\d{4}-", value):
        return value.replace("2026", "2025")
    return other(value)


def try_decode(value: Any) -> Evidence | None:
    try:
        return decode(json.dumps(value).encode())
    except Malformed:
        return None
