"""Secrets taken out of text before it is kept: tokens, keys, and the data of Secret objects."""

from __future__ import annotations

import re

MASK = "[redacted]"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
                   re.DOTALL),
        MASK,
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_)\w{20,}"), MASK),
    (re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|token|api[_-]?key|client-key-data)\"?"
            r"[ \t]*[:=][ \t]*)(\"[^\"\n]+\"|'[^'\n]+'|[^\s,;\"'{}\[\]]+)"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)(://[^\s/:@]+:)[^\s/@]+(@)"), rf"\1{MASK}\2"),
)  # fmt: skip
_SECRET_KIND = re.compile(r"\bkind\"?: *\"?Secret\b")
_SECRET_JSON = re.compile(r"(\"(?:data|stringData)\" *: *)\{[^{}]*\}")
_SECRET_DATA = re.compile(r"(?m)^([ +-]*)(\"?(?:data|stringData)\"?: *\{?)\n((?:\1[ ]+\S.*\n?)+)")
_SECRET_VALUE = re.compile(r"(?m)^([ +-]*\"?[\w.-]+\"?: *)\S.*$")


def redact(text: str) -> str:
    """`text` with secrets masked; text without any comes back unchanged."""
    for pattern, mask in _PATTERNS:
        text = pattern.sub(mask, text)
    if _SECRET_KIND.search(text):
        text = _SECRET_JSON.sub(rf'\1{{"{MASK}": "{MASK}"}}', text)
        text = _SECRET_DATA.sub(_mask_data, text)
    return text


def _mask_data(match: re.Match[str]) -> str:
    indent, head, body = match.groups()
    return f"{indent}{head}\n" + _SECRET_VALUE.sub(rf"\1{MASK}", body)
