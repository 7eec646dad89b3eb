"""Label and field selectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.api.selectors import matcher, parse_labels
from infra.embedded.errors import BadRequest
from infra.embedded.kinds import CONFIGMAP, KSERVICE, POD

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=web", True),
        ("app==web", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("app in (web, db)", True),
        ("app notin (web)", False),
        ("missing notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("app=web,tier in (front,back)", True),
        ("app=web,tier=back", False),
        ("", True),
    ],
)
def test_labels(text: str, matches: bool) -> None:
    test = matcher(CONFIGMAP, text, "")
    found = test is None or test({"metadata": {"labels": LABELS}})
    assert found is matches


@pytest.mark.parametrize("text", ["a=b=c", "a in b", "in (x)", "a b", "=x", "a>1"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="unable to parse requirement"):
        parse_labels(text)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_labels(text)
    except BadRequest:
        return


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=p", True),
        ("metadata.name!=p", False),
        ("status.phase=Running,spec.nodeName=n", True),
        ("status.phase=Pending", False),
        ("spec.hostNetwork=true", True),
        ("status.podIP=", True),
    ],
)
def test_fields(text: str, matches: bool) -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n", "hostNetwork": True},
        "status": {"phase": "Running"},
    }
    test = matcher(POD, "", text)
    assert test is not None
    assert test(pod) is matches


def test_custom_resources_have_no_other_fields() -> None:
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.x"):
        matcher(KSERVICE, "", "spec.x=1")


def test_an_unknown_field_of_a_built_in_kind() -> None:
    with pytest.raises(BadRequest, match="is not a known field selector"):
        matcher(CONFIGMAP, "", "data.x=1")
