"""What the activator says to probes; expected values of the recording 05-gateway/responses.json."""

import pytest

from infra.embedded.gateway.probe_answers import answer


def split(raw: bytes) -> tuple[str, dict[str, str], str]:
    head, _, body = raw.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    headers.pop("date")
    return first, headers, body


ERROR = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}


@pytest.mark.parametrize(
    ("headers", "status", "extra", "body"),
    [
        (
            {"k-network-probe": "queue"},
            "400 Bad Request",
            ERROR,
            'unexpected probe header value: "queue"\n',
        ),
        (
            {"k-network-probe": "probe"},
            "400 Bad Request",
            ERROR,
            'a probe request must contain a non-empty "K-Network-Hash" header\n',
        ),
        (
            {"k-network-probe": "probe", "k-network-hash": "override", "x-vpm-hash": "abc"},
            "200 OK",
            {"k-network-hash": "abc"},
            "",
        ),
        ({"k-kubelet-probe": "queue"}, "200 OK", {}, ""),
        ({"user-agent": "kube-probe/1.33"}, "200 OK", {}, ""),
        (
            {"k-network-probe": "activator"},
            "200 OK",
            {"content-type": "text/plain; charset=utf-8"},
            "activator",
        ),
    ],
)
def test_answers(headers: dict[str, str], status: str, extra: dict[str, str], body: str) -> None:
    expected = {**extra, "content-length": str(len(body))}
    assert split(answer(headers)) == (f"HTTP/1.1 {status}", expected, body)
