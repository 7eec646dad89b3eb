"""Images that are gone."""

from __future__ import annotations

import pytest

from infra.knative.retired import retired_images

GONE = "gcr.io/knative-samples/helloworld-go"


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (f"image: {GONE}", 8),
        (f"      - image: {GONE}:latest", 16),
        (f'  image: "{GONE}@sha256:00"  # the old one', 11),
        (f"  image:  '{GONE}'", 12),
    ],
)
def test_a_deleted_sample_is_named_with_its_successor(line: str, column: int) -> None:
    found = list(retired_images(f"kind: Service\n{line}\n", "hello.yaml"))
    assert len(found) == 1
    assert (found[0].line, found[0].column) == (2, column)
    assert found[0].hint == "use ghcr.io/knative/helloworld-go"
    assert str(found[0]).startswith(f"hello.yaml:2:{column}: the image {GONE}")


@pytest.mark.parametrize(
    "line",
    [
        "image: ghcr.io/knative/helloworld-go:latest",
        f"# image: {GONE}",
        f"comment: {GONE}",
        "image: mirror.example/gcr.io/knative-samples/helloworld-go",
    ],
)
def test_other_lines_are_left_alone(line: str) -> None:
    assert list(retired_images(line, "f")) == []
