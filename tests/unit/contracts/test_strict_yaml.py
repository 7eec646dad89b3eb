"""Manifests are read as kubectl reads them, and no input ends the process."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.facts import ObjectFacts
from harness.contracts.strict_yaml import UnusableYaml, documents, objects

KSERVICE = b"""
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: hello
  namespace: default
"""


def test_objects_are_named() -> None:
    second = KSERVICE.replace(b"hello", b"other").replace(b"  namespace: default\n", b"")
    assert objects(KSERVICE + b"---\n" + second) == (
        ObjectFacts("serving.knative.dev/v1", "Service", "hello", "default"),
        ObjectFacts("serving.knative.dev/v1", "Service", "other", ""),
    )


@pytest.mark.parametrize("content", [b"", b"---\n---\n", b"# nothing\n"])
def test_empty_streams_hold_nothing(content: bytes) -> None:
    assert objects(content) == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (KSERVICE + b"kind: Role\n", "'kind' appears twice"),
        (b"a: &x 1\nb: *x\n", "anchor"),
        (b"a: !!python/object/apply:os.system [id]\n", "tag"),
        (b"a: !!binary aGk=\n", "tag"),
        (b"a:\n  <<: {b: 1}\n", "merge keys"),
        (b"[" * 100_000, "nested deeper"),
        (b"- " * 100_000, "nested deeper"),
        (b"{a: " * 50_000, "nested deeper"),
        (b"\xff", "utf-8"),
        (b"a: [", "expected"),
        (b"\ta: 1", "cannot start"),
        (b"just a text", "a document is a str"),
        (b"a: 1", "without metadata"),
        (b"metadata: {name: 1}\nkind: Service\napiVersion: v1", "must be texts"),
        (b"? [a]\n: 1\n", "hashable"),
        # kubectl takes whatever has items for a list, and applies those instead
        (KSERVICE + b"items: [{kind: Role}]\n", "'items'"),
        (KSERVICE + "ITEM\u017f: []\n".encode(), "'ITEM\u017f'"),
        # names come into kubectl's arguments
        (KSERVICE.replace(b"hello", b"--raw=/api"), "no name"),
        (KSERVICE.replace(b"hello", b"-A"), "no name"),
        (KSERVICE.replace(b"hello", b"'a b'"), "no name"),
        (KSERVICE.replace(b"hello", b'"hello\\n"'), "no name"),
        (KSERVICE.replace(b"hello", "h\u0435llo".encode()), "no name"),
    ],
)
def test_what_is_not_plain_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(UnusableYaml, match=said):
        objects(content)


@given(st.text(alphabet="abc:-{}[]\n !&*'\"|>%#,?<0", max_size=80))
def test_any_text_gives_documents_or_a_refusal(text: str) -> None:
    with contextlib.suppress(UnusableYaml):
        assert isinstance(documents(text.encode()), list)
