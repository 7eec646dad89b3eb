"""Secrets taken out of text before it is kept. Pure.

JSON is redacted as JSON, by its keys; all else as text, by what secrets look like. Where it is
not sure it redacts: a name too many costs a reader less than a leaked key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MASK = "REDACTED"

_NAMES = (
    r"(?=(?-i:[acdpstACDPST]))(?:passwords?|passwd|passphrase|pwd|secret(?:[_-]?(?:key|value))?|tokens?(?:[_-]?value)?|api[_-]?key|access[_-]?key(?:[_-]?id)?"
    r"|account[_-]?key|client-key-data|client-certificate-data|private[_-]?key|credentials?|session[_-]?id"
    r"|dockerconfigjson|dockercfg)"
)
_NEEDS = (
    "pass", "pwd", "secret", "token", "credential", "session", "docker", "auth", "cookie",
    "security", "client-key-data", "client-certificate-data",
    *(f"{of}{gap}key" for of in ("api", "access", "account", "private") for gap in ("", "-", "_")),
)  # fmt: skip
_HEADER_NEEDS = ("authorization", "cookie", "api-key", "auth-token", "security-token")
"""What every one of the names, and every one of a header's, contains in lower case."""

_QUOTE = r"(?:\\*[\"']|\\+u002[27])"
"""A quote, also one that was escaped because the text stands in another JSON text."""

_GAP = r",?(?:\s|(?<=\n)[+-])*"
"""What may stand between two fields of an object; in a diff each line has a mark of its own."""

_HEADERS = r"(?:proxy-)?authorization|(?:set-)?cookie2?|x-api-key|x-auth-token|x-amz-security-token"


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is masked, and words of which, in lower case, every such text contains at least one.

    To look for words is a hundred times as fast as to look for patterns, and most text has none.
    """

    needs: frozenset[str]
    pattern: re.Pattern[str]
    replacement: str


def _rule(
    pattern: str,
    replacement: str = rf"\g<keep>{MASK}",
    *,
    needs: tuple[str, ...] = _NEEDS,
    flags: re.RegexFlag = re.IGNORECASE,
) -> _Rule:
    return _Rule(frozenset(needs), re.compile(pattern, flags), replacement)


def _shown(pattern: str, *needs: str) -> _Rule:
    """For what shows by itself what it is, its case included."""
    return _rule(pattern, MASK, needs=needs, flags=re.NOFLAG)


_RULES: tuple[_Rule, ...] = (
    # PEM blocks, also with escaped line ends
    _rule(
        r"(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY-----)[^\"']*?"
        r"(?P<end>-----END [A-Z ]*PRIVATE KEY-----|(?=\\*[\"'])|\Z)",
        rf"\g<keep>{MASK}\g<end>",
        needs=("private key-----",),
    ),
    # environment and headers as objects: name and value apart, in either order
    _rule(
        rf"(?P<keep>\b(?:name|key){_QUOTE}?\s*:\s*(?:{_QUOTE})?(?:[\w.-]*{_NAMES}|{_HEADERS})"
        rf"(?:{_QUOTE})?{_GAP}(?:{_QUOTE})?(?:raw_)?value(?:{_QUOTE})?\s*:\s*(?P<q>{_QUOTE}))"
        r"(?:(?!(?P=q))(?:\\.|.))+"
    ),
    _rule(
        rf"(?P<keep>\bvalue(?:{_QUOTE})?\s*:[ \t]*)(?:(?P<q>{_QUOTE})(?:(?!(?P=q))(?:\\.|.))+(?P=q)"
        rf"|[^\s\"'\\,}}]+)(?P<end>{_GAP}(?:{_QUOTE})?name(?:{_QUOTE})?\s*:\s*(?:{_QUOTE})?"
        rf"(?:[\w.-]*{_NAMES}|{_HEADERS})\b)",
        rf"\g<keep>{MASK}\g<end>",
    ),
    _rule(
        rf"(?P<keep>\bname{_QUOTE}?\s*:\s*(?:{_QUOTE})?[\w.-]*{_NAMES}(?:{_QUOTE})?{_GAP}"
        rf"(?:{_QUOTE})?value(?:{_QUOTE})?\s*:\s*(?:{_QUOTE})?)[^\s\"'\\,}}]+"
    ),
    # a changed value in a diff: the name stands only before the old one
    _rule(
        rf"(?m)(?P<keep>^-\s*value:[ \t]*(?:{_QUOTE})?{MASK}[^\n]*\n\+[ \t]*value:[ \t]*)[^\n]+"
    ),
    # headers: quoted values up to their quote, bare ones up to the end of the line
    _rule(
        rf"(?P<keep>\b(?:{_HEADERS})(?:{_QUOTE})?\s*[:=,]\s*(?:\[\]string\{{|\[)?\s*(?P<q>{_QUOTE}))"
        rf"(?!(?:raw_)?value{_QUOTE})(?:(?!(?P=q))(?:\\.|.))+",
        needs=_HEADER_NEEDS,
    ),
    _rule(
        rf"(?P<keep>\b(?:{_HEADERS})[ \t]*[:=][ \t]*)(?!{_QUOTE}|\[|{MASK})"
        r"[^\r\n]+?(?=\\+[rn\"']|[\"'\r\n]|$)",
        needs=_HEADER_NEEDS,
    ),
    _rule(r"(?P<keep>\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}", needs=("bearer", "basic")),
    # tokens that show what they are
    _shown(r"\beyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?", "eyj"),
    _shown(
        r"\b(?:gh[pousr]|github_pat)_\w{20,}",
        "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    ),
    _shown(r"\b(?:glpat-[\w-]{16,}|xox[abprs]-[\w-]{8,})", "glpat-", "xox"),
    _shown(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}", "akia", "asia", "aiza"),
    _shown(
        r"\b(?:[rs]k_(?:live|test)_\w{16,}|sk-[\w-]{20,}|npm_[A-Za-z0-9]{30,})",
        "k_live_", "k_test_", "sk-", "npm_",
    ),
    _rule(r"(?P<keep>hooks\.slack\.com/services/)[\w/]+", needs=("hooks.slack",)),
    _rule(
        r"(?P<keep>base64url\.bearer\.authorization\.k8s\.io\.)[\w=-]+",
        needs=("base64url.bearer",),
    ),
    # kubeadm's bootstrap tokens, where words about them stand before
    _rule(
        r"(?P<keep>(?:token|bootstrap|kubeadm)[^\n]{0,80}?)(?<![\w./-])[a-z0-9]{6}\.[a-z0-9]{16}"
        r"(?![\w/-]|\.\w)",
        needs=("token", "bootstrap", "kubeadm"),
    ),
    # a PEM block in base64, of anything but a certificate or a public key, also over lines
    _shown(
        r"LS0tLS1CRUdJTi(?!BDRVJU|BQVUJM)[\w+/=]{6,}(?:(?:\s|\\+[rn])+[\w+/]{20,}={0,2})*",
        "ls0tls1crudjti",
    ),
    # a kubeconfig's key in somebody's words about it
    _rule(
        r"(?P<keep>client-(?:key|certificate)-data[^\n]{0,80}?)(?<![\w+/=])[\w+/]{16,}={0,2}",
        needs=("client-key-data", "client-certificate-data"),
    ),
    # addresses: user:password@ and query parameters
    _rule(
        r"(?P<keep>://[^\s/:@\"']*:)[^\s/\"']+(?P<end>@)",
        rf"\g<keep>{MASK}\g<end>",
        needs=("@",),
    ),
    _rule(
        r"(?P<keep>://)[^\s/:@\"']{12,}(?P<end>@)", rf"\g<keep>{MASK}\g<end>", needs=("@",)
    ),
    _rule(
        r"(?P<keep>(?:[?&]|\\u0026)[\w.-]*"
        r"(?:token|key|secret|password|sig|signature|auth|code|session)=)[^&\s\"'#<>\\]+",
        needs=("?", "&", "u0026"),
    ),
    _rule(
        r"(?P<keep>%(?:3F|26)[\w.-]*(?:token|key|secret|password|code|session)%3D)"
        r"[^&%\s\"'<>\\]+",
        needs=("%3d",),
    ),
    # docker's config
    _rule(rf"(?P<keep>{_QUOTE}auth{_QUOTE}\s*:\s*{_QUOTE})[\w+/=-]{{6,}}", needs=("auth",)),
    # options and assignments
    _rule(rf"(?P<keep>(?<!-)--[\w-]{{0,60}}{_NAMES}[= ]\s*)(?!{_QUOTE})[^\s\"'\\]+"),
    _rule(
        rf"(?P<keep>(?<!-)--[\w-]{{0,60}}{_NAMES}{_QUOTE}\s*,\s*(?P<q>{_QUOTE}))(?:(?!(?P=q))(?:\\.|.))+"
    ),
    _rule(
        rf"(?P<keep>-[ \t]+(?:{_QUOTE})?--[\w-]{{0,60}}{_NAMES}(?:{_QUOTE})?[ \t]*\n"
        rf"[ \t+]*-[ \t]+(?:{_QUOTE})?)[^\s\"']+"
    ),
    _rule(
        r"(?P<keep>(?:^|\s)(?:-u\s*|--(?:proxy-)?user[\s=]+)[\"']?[^\s:\"']+:)[^\s\"']+",
        needs=("-u",),
    ),
    _rule(
        r"(?P<keep>(?:^|\s)(?:-b\s*|--cookie[\s=]+)[\"']?[^\s;\"'=]+=)[^\s\"']+",
        needs=("-b", "--cookie"),
    ),
    _rule(r"(?P<keep>\bsshpass\s+-p\s*)\S+", needs=("sshpass",)),
    _rule(r"(?P<keep>\bmysql(?:admin|dump)?\b[^\n]{0,200}?\s-p)[^\s\"']+", needs=("mysql",)),
    _rule(
        rf"(?P<keep>{_NAMES}{_QUOTE}\s*:\s*\[\s*(?P<q>{_QUOTE}))[^\[\]{{}}]*\]",
        rf"\g<keep>{MASK}\g<q>]",
    ),
    _rule(r"(?P<keep>\blogin\s+\S+\s+password\s+)\S+", needs=("password",)),
    _rule(rf"(?P<keep><[\w.:-]{{0,60}}{_NAMES}>)[^<>]+(?P<end></)", rf"\g<keep>{MASK}\g<end>"),
    # Envoy's keys, where its JSON was cut off
    _rule(
        rf"(?P<keep>private_key{_QUOTE}\s*:\s*\{{\s*{_QUOTE}inline_(?:bytes|string){_QUOTE}\s*:\s*"
        rf"(?P<q>{_QUOTE}))(?:(?!(?P=q))(?:\\.|.))+",
        needs=("private_key",),
    ),
    _rule(
        rf"(?P<keep>{_NAMES}(?:{_QUOTE})?[ \t]*(?:=>|[:=])[ \t]*(?P<q>{_QUOTE}))"
        r"(?:(?!(?P=q))(?:\\.|.))+"
    ),
    _rule(
        rf"(?P<keep>{_NAMES}[ \t]*[:=][ \t]*)(?!{_QUOTE}|(?:true|false|null|none)\b|{MASK})"
        r"(?:[^\s\"'\\,;&{}\[\]<>]|\\+u(?!002[267])[0-9a-f]{4})+"
    ),
)  # fmt: skip
_WORDS = tuple(sorted(frozenset().union(*(rule.needs for rule in _RULES))))

_SECRET_KEY = re.compile(rf"[\w.-]*{_NAMES}|{_HEADERS}|auth", re.IGNORECASE)
_SECRET_OPTION = re.compile(rf"--[\w-]*{_NAMES}", re.IGNORECASE)
_SECRET_KIND = re.compile(rf"(?m)\bkind(?:{_QUOTE})?:\s*(?:{_QUOTE})?Secret\b")
_YAML_LINE = re.compile(r"(?P<indent>[ \t+-]*)(?P<key>[\w./-]+:)?")
_YAML_DATA = frozenset({"data:", "stringData:", "binaryData:"})
_JSON_DATA = re.compile(
    rf"(?P<keep>{_QUOTE}(?:data|stringData|binaryData){_QUOTE}\s*:\s*)\{{[^{{}}]*\}}"
)
_FLOW_DATA = re.compile(r"(?m)^(?P<keep>[ \t-]*(?:data|stringData|binaryData):[ \t]*)\{[^{}]*\}")
_BLOCK = re.compile(r"(?P<indent>[ \t]*(?:- +)*)(?P<key>[\w./-]+):[ \t]*[|>][-+0-9]*\s*$")
_LIST = re.compile(r"(?P<indent>[+-]?[ \t]*(?:- +)*)(?P<key>[\w./-]+):[ \t]*$")
_ITEM = re.compile(r"(?P<indent>[+-]?[ \t]*)(?P<mark>- +)(?![\w./-]+:(?:\s|$))\S")
"""A key with nothing behind it, and an item of a list that is no object."""
_NAMED = re.compile(rf"\bname:\s*[\"']?(?:[\w.-]*{_NAMES}|{_HEADERS})[\"']?\s*$", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with every secret masked; text without any comes back unchanged.

    JSON, and text with a JSON object on each line, stays JSON.
    """
    words = _words_in(text)
    if not words:
        return text
    lines = text.splitlines(keepends=True)
    if len(lines) > 1 and all(line[:1] == "{" and line.rstrip()[-1:] == "}" for line in lines):
        return "".join(redact(line) for line in lines)
    try:
        if text.lstrip()[:1] in ("{", "["):
            return _redact_json(text)
    except (ValueError, RecursionError):
        pass  # not JSON after all
    return _redact_text(text, words)


def _words_in(text: str) -> frozenset[str]:
    """Which of the rules' words a text contains: none for most."""
    folded = text.casefold()
    return frozenset(word for word in _WORDS if word in folded)


def _redact_json(text: str) -> str:
    value = json.loads(text)
    cleaned = _clean(value)
    if cleaned == value:
        return text
    end = "\n" if text.endswith("\n") else ""
    indent = 1 if "\n" in text.strip() else None
    return json.dumps(cleaned, ensure_ascii=False, indent=indent) + end


def _clean(value: object) -> object:
    """A JSON value without secrets, its keys and shape kept."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [
            _masked(item) if _is_secret_option(before) else _clean(item)
            for before, item in zip([None, *value], value, strict=False)
        ]
    if not isinstance(value, dict):
        return value
    secret = value.get("kind") == "Secret"
    named = any(_SECRET_KEY.fullmatch(str(value.get(key, ""))) for key in ("name", "key"))
    return {
        key: _masked(item)
        if (secret and f"{key}:" in _YAML_DATA)
        or (named and key in ("value", "raw_value"))
        or _SECRET_KEY.fullmatch(key)
        else _clean(item)
        for key, item in value.items()
    }


def _is_secret_option(word: object) -> bool:
    """Whether a word of a command line says that the next one is a secret."""
    return isinstance(word, str) and _SECRET_OPTION.fullmatch(word) is not None


def _masked(value: object) -> object:
    """Every text in a value masked; numbers, truth values and keys stay."""
    if isinstance(value, str):
        return MASK if value else value
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return value


def _redact_text(text: str, words: frozenset[str]) -> str:
    if "secret" in words and _SECRET_KIND.search(text):
        text = _JSON_DATA.sub(r"\g<keep>{}", text)
        text = _FLOW_DATA.sub(r"\g<keep>{}", text)
        text = "".join(_without_data(text.splitlines(keepends=True)))
    if not words.isdisjoint(_NEEDS):
        text = "".join(_without_blocks(text.splitlines(keepends=True)))
    for rule in _RULES:
        if not words.isdisjoint(rule.needs):
            text = rule.pattern.sub(rule.replacement, text)
    return text


def redact_bytes(content: bytes) -> bytes:
    """As `redact` for a file's content; bytes that are not UTF-8 stay as they are."""
    text = content.decode(errors="surrogateescape")
    cleaned = redact(text)
    return content if cleaned == text else cleaned.encode(errors="surrogateescape")


def _without_data(lines: Iterable[str]) -> Iterator[str]:
    """YAML whose data blocks hold keys alone; what runs over several lines goes with its value."""
    block: int | None = None
    for line in lines:
        found = _YAML_LINE.match(line)
        assert found is not None  # both parts of the pattern may be empty
        depth, key = len(found["indent"]), found["key"]
        if block is not None and (depth > block or not line.strip()):
            if key:
                yield f"{found['indent']}{key} {MASK}\n"
            continue
        block = depth if key in _YAML_DATA else None
        yield line


def _without_blocks(lines: Iterable[str]) -> Iterator[str]:
    """YAML whose secrets that run over several lines are masked: `key: |` and lists of them."""
    block: int | None = None
    items: int | None = None
    before = ""
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if block is not None and (depth > block or not line.strip()):
            continue
        block = None
        item = _ITEM.match(line) if items is not None else None
        if item is not None and items is not None and len(item["indent"]) >= items:
            block = len(item["indent"])
            yield f"{item['indent']}{item['mark']}{MASK}\n"
            continue
        items = _begins(_LIST, line)
        found = _BLOCK.match(line)
        secret = found is not None and (
            _SECRET_KEY.fullmatch(found["key"]) is not None
            or (found["key"] == "value" and _NAMED.search(before) is not None)
        )
        block = len(found["indent"]) if found is not None and secret else None
        yield line
        if found is not None and secret:
            yield f"{' ' * (len(found['indent']) + 2)}{MASK}\n"
        before = line


def _begins(pattern: re.Pattern[str], line: str) -> int | None:
    """The column of a secret's name that something below belongs to."""
    found = pattern.match(line)
    secret = found is not None and _SECRET_KEY.fullmatch(found["key"])
    return len(found["indent"]) if found is not None and secret else None
