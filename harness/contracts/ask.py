"""The grammar of /ask comments: from a comment's text to what it asks for. Pure.

    comment   = "/ask" [ command ] NEWLINE { line }
    command   = apply | "update_north_star" | "persist_report_mvp"
    line      = [ list item ] apply | prose
    apply     = "S5 apply:" "dev" [ name | path ]        in any case; nothing may follow it

Quoted lines, code blocks and HTML comments are not read. A command that is negated, struck out
or followed by more words is refused rather than guessed at: "please do not run" must not run,
also where it is indented right below other words, which Markdown does not take for code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

MAX_COMMENT = 64 * 1024
DEFAULT_NAME = "hello-ksvc"

Document = Literal["update_north_star", "persist_report_mvp"]
DOCUMENTS: tuple[Document, ...] = ("update_north_star", "persist_report_mvp")

# What a browser does not show: comments, instructions, declarations and CDATA.
_HTML_COMMENT = re.compile(
    r"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<![A-Za-z].*?(?:>|\Z)",
    re.DOTALL,
)
# Markdown knows these ends of lines and no others; Python's splitlines() knows ten.
_LINE_END = re.compile(r"\r\n|\n|\r")
_HTML_ASIDE = re.compile(
    r"<(pre|code|kbd|samp|tt|del|s|strike|q|blockquote|template|script|style|textarea|title)\b"
    r".*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_ASK = re.compile(r"^/ask(?=\s|$)", re.IGNORECASE)
_ITEM = re.compile(r"^(?:[-*+]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_APPLY = re.compile(r"^s5[ \t]+apply[ \t]*:[ \t]*dev(?:[ \t]+(?P<name>\S+))?[ \t]*$", re.IGNORECASE)
_MENTION = re.compile(r"s5\s*apply|s5\W+apply", re.IGNORECASE)
_NAME = re.compile(r"^[A-Za-z0-9._/-]{1,255}$")
_NEGATION = re.compile(
    r"\b(?:not|cannot|\w+n['’]t|dont|never|cancel|abort|stop|revoke[ds]?|withdraw|hold\s+off|on\s+hold"
    r"|hold\s+(?:on|it)|postponed?"
    r"|please\s+wait|no\s+apply|without\s+applying|ignore\s+(?:this|that|the))\b|~~"
    r"|しない|ないで|(?<!すみ)ません|するな|ではない|せずに|やめ|待って|不要|だめ|ダメ"
    r"|中止|保留|禁止|停止|延期|見送|撤回|取り消|取消|キャンセル|ストップ",
    re.IGNORECASE,
)


class AskRefused(ValueError):
    """The comment does not make a contract; the message is a reply to its author."""


class NotAsked(ValueError):
    """The comment does not begin with /ask: it is not addressed to this tool."""


@dataclass(frozen=True, slots=True)
class Question:
    """`/ask` alone."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class ApplyAsked:
    """Manifests to apply, in the words of the comment."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DocumentAsked:
    """Work on a context document, which is the rest of the comment."""

    kind: Document
    document: str


Asked = Question | ApplyAsked | DocumentAsked


@dataclass(frozen=True, slots=True)
class OverlayEntry:
    """One manifest of the overlay that may be asked for, with the object it holds."""

    path: str
    api: str
    kind: str
    name: str
    namespace: str
    digest: str

    @property
    def stem(self) -> str:
        """The file's name without its suffix."""
        return self.path.rpartition("/")[2].rpartition(".")[0]


def parse_comment(text: str) -> Asked:
    """What a comment asks for.

    Errors:
        NotAsked: it does not begin with /ask. AskRefused: it does, but cannot be carried out.
    """
    if len(text) > MAX_COMMENT:
        raise AskRefused(f"The comment has more than {MAX_COMMENT} characters.")
    read = list(_read_lines(text))
    lines = [line for line, counts in read if counts]
    match = _ASK.match(lines[0]) if lines else None
    if match is None:
        raise NotAsked("the comment does not begin with /ask")
    rest = lines[0][match.end() :].strip()
    for kind in DOCUMENTS:
        if rest.casefold() == kind:
            return _document(kind, text)
    return _question_or_apply(
        [rest, *lines[1:]] if rest else lines[1:],
        continued="\n".join(line for line, counts in read if not counts),
    )


def _read_lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines that are not blank, quoted, in a code block or in an HTML comment.

    Each with whether it counts: an indented one right below words does not, and yet it is no
    code. Markdown shows it as their end, so it may take them back.
    """
    fence, quoted, below_item, below_words = "", False, False, False
    for line in _LINE_END.split(_HTML_ASIDE.sub("\n", _HTML_COMMENT.sub("\n", text))):
        marker = _FENCE.match(line)
        if fence:
            if marker and marker[1].startswith(fence) and not line.strip(" `~"):
                fence = ""
        elif marker:
            fence, below_words = marker[1], False
        else:
            # Markdown counts the lines right after a quoted one to the quotation.
            quoted = _is_quote(line) or (quoted and bool(line.strip()) and not _ITEM.match(line))
            # Right below an item of a list, a deeper one is an item too, and no code.
            item = _ITEM.match(line.strip()) is not None
            counts = not quoted and ((item and below_item) or not _is_aside(line))
            below_item = item and counts
            below_words = bool(line.strip()) and not quoted and (counts or below_words)
            if below_words:
                yield line.strip(), counts


def choose(name: str, entries: Sequence[OverlayEntry]) -> OverlayEntry:
    """The manifest that a name, file name or path means.

    Errors:
        AskRefused: none or several; the message lists what there is.
    """
    if not _NAME.match(name) or ".." in name:
        raise AskRefused(f"`{plain(name)}` is not a name or path of a manifest.")
    wanted = name.casefold()
    found = [entry for entry in entries if wanted in _names(entry)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(sorted(f"`{entry.stem}`" for entry in entries)) or "nothing"
    what = "is not" if not found else "is more than one"
    raise AskRefused(f"`{plain(name)}` {what} in the overlay. There is: {known}.")


def _names(entry: OverlayEntry) -> set[str]:
    file = entry.path.rpartition("/")[2]
    return {spelling.casefold() for spelling in (entry.path, file, entry.stem, entry.name)}


def _is_quote(line: str) -> bool:
    return line.lstrip(" ").startswith(">")


def _is_aside(line: str) -> bool:
    indent = len(line) - len(line.lstrip(" "))
    return not line.strip() or line.startswith("\t") or indent >= 4


def _document(kind: Document, text: str) -> DocumentAsked:
    first = next(line for line in _LINE_END.split(text) if _ASK.match(line.strip()))
    document = text.split(first, 1)[1].strip()
    if not document:
        raise AskRefused(f"`/ask {kind}` wants a context document below it; there is none.")
    return DocumentAsked(kind, document)


def _question_or_apply(lines: list[str], *, continued: str) -> Asked:
    names: list[str] = []
    prose: list[str] = []
    for line in lines:
        match = _APPLY.match(_ITEM.sub("", line))
        if match:
            names.append(match["name"] or DEFAULT_NAME)
        else:
            prose.append(line)
    text = "\n".join(prose)
    mentioned = next((line for line in prose if _MENTION.search(_as_read(line))), None)
    if mentioned is not None:
        raise AskRefused(
            f"`{plain(mentioned)}` speaks of an S5 apply but is not one. "
            "It must stand alone: `S5 apply: dev NAME`."
        )
    if not names:
        return Question(text)
    negation = _NEGATION.search(_as_read(f"{text}\n{continued}"))
    if negation:
        raise AskRefused(
            f"The comment says `{plain(negation[0])}`, so nothing will be applied. "
            "Ask again in a comment without it."
        )
    return ApplyAsked(tuple(dict.fromkeys(names)))


def _as_read(text: str) -> str:
    """Words as a person sees them: full and half width are one, what is not shown is gone."""
    usual = unicodedata.normalize("NFKC", text)
    return "".join(letter for letter in usual if unicodedata.category(letter) != "Cf")


def plain(text: str) -> str:
    """Text of a comment, safe inside a reply's code span; a `?` is what looks like another."""
    return "".join(letter if _is_plain(letter) else "?" for letter in text)[:80]


def _is_plain(letter: str) -> bool:
    """Whether a letter is ASCII or, as kana and kanji are, unlike any that is."""
    if letter.isascii():
        return letter.isprintable() and letter != "`"
    return letter.isalpha() and unicodedata.east_asian_width(letter) == "W"
