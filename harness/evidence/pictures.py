"""Small SVG pictures of a document: latency by vantage, and the timeline of what was seen.

They are made from the document alone, carry their own colours for light and dark, and name the
run, so that no two runs ever share a picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

from harness.core.verdict import Verdict
from harness.evidence import matrix
from harness.evidence.model import Evidence, VantageEvidence
from harness.evidence.stamps import moment_or_none
from harness.evidence.words import say

WIDTH = 640
_LEFT = 200
_RIGHT = 16
_LONGEST = 30
_HEAD = 34
_MOMENT = 0.1
_PLOT = WIDTH - _LEFT - _RIGHT

STYLE = """<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}.q{fill:#59636e}.a{stroke:#d1d9e0}
.good{fill:#1a7f37}.part{fill:#9a6700}.bad{fill:#cf222e}.bar{fill:#0969da}.bg{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.q{fill:#9198a1}.a{stroke:#3d444d}
.good{fill:#3fb950}.part{fill:#d29922}.bad{fill:#f85149}.bar{fill:#4493f8}.bg{fill:#0d1117}}
</style>"""


def pictures(document: Evidence) -> dict[str, str]:
    """The document's pictures by name; those for which it has no data are left out.

    The timeline of samples stands beside the one of READY: an SLI's own would say it again.
    """
    drawn = {
        "latency": latency(document),
        "timeline": "" if document.kind == "sli" else timeline(document),
    }
    return {name: picture for name, picture in drawn.items() if picture}


def latency(document: Evidence) -> str:
    """A histogram of good requests for each vantage, on one scale that doubles with each bar."""
    rows = [
        (label, seen)
        for label, seen in zip(matrix.labels(document.vantages), document.vantages, strict=True)
        if seen.probe.histogram
    ]
    if not rows:
        return ""
    bounds = _bounds([seen for _, seen in rows])
    height = 64
    parts = [
        part
        for number, (label, seen) in enumerate(rows)
        for part in _histogram(label, seen, bounds, top=_HEAD + number * height, height=height)
    ]
    bottom = _HEAD + len(rows) * height
    step = _PLOT / len(bounds)
    scale = [
        _text(_LEFT + (place + 1) * step, bottom + 14, _short(bound), anchor="end", style="q")
        for place, bound in enumerate(bounds)
        if place % max(1, len(bounds) // 8) == 0
    ]
    words = say(document.language)
    title = words("Latency of good requests, {subject}").format(subject=document.subject.key)
    return _svg(document, title, bottom + 24, [*parts, *scale])


def _bounds(seen: Sequence[VantageEvidence]) -> list[float]:
    """The upper bounds of all bars, with none left out between the smallest and the largest."""
    found = sorted({bound for one in seen for bound, _ in one.probe.histogram})
    bounds = [found[0]]
    while bounds[-1] < found[-1] * 0.999 and len(bounds) < 64:
        bounds.append(bounds[-1] * 2)
    return bounds


def _histogram(
    label: str, seen: VantageEvidence, bounds: Sequence[float], *, top: float, height: float
) -> Iterator[str]:
    most = max(1, *(count for _, count in seen.probe.histogram))
    base = top + height - 8
    step = _PLOT / len(bounds)
    yield _text(8, base - 18, _label(label))
    q = seen.probe.latency
    if q is not None:
        yield _text(8, base - 3, f"p50 {_short(q.p50)}, p99 {_short(q.p99)}", style="q")
    yield f'<line class="a" x1="{_LEFT}" y1="{base:g}" x2="{WIDTH - _RIGHT}" y2="{base:g}"/>'
    for bound, count in seen.probe.histogram:
        place = min(range(len(bounds)), key=lambda at: abs(bounds[at] - bound))
        tall = max(2.0, (height - 20) * count / most)
        x = _LEFT + place * step + 1
        yield (
            f'<rect class="bar" x="{x:.1f}" y="{base - tall:.1f}" width="{step - 2:.1f}" '
            f'height="{tall:.1f}"><title>{count} ≤ {_short(bound)}</title></rect>'
        )


@dataclass(frozen=True, slots=True)
class _Span:
    """A bar of the timeline."""

    label: str
    start: datetime
    end: datetime
    style: str
    text: str


def _span(label: str, start: str, end: str, style: str, text: str = "") -> Iterator[_Span]:
    """A bar from one moment to another; none where one of them is not known."""
    since, until = moment_or_none(start), moment_or_none(end)
    if since is not None and until is not None:
        yield _Span(label, min(since, until), until, style, text)


def timeline(document: Evidence) -> str:
    """When the object was READY and when samples were taken, on one axis."""
    spans = [*_ready_spans(document), *_probe_spans(document), *_step_spans(document)]
    if not spans:
        return ""
    first = min(span.start for span in spans)
    last = max(span.end for span in spans)
    whole = max((last - first).total_seconds(), 0.001)
    parts = [
        part
        for number, span in enumerate(spans)
        for part in _bar(span, first, whole, top=_HEAD + number * 24)
    ]
    bottom = _HEAD + len(spans) * 24
    parts.append(_text(_LEFT, bottom + 14, f"{first:%H:%M:%S} UTC", style="q"))
    parts.append(_text(WIDTH - _RIGHT, bottom + 14, f"+{_short(whole)}", anchor="end", style="q"))
    title = say(document.language)("Timeline, {subject}").format(subject=document.subject.key)
    return _svg(document, title, bottom + 24, parts)


def _ready_spans(document: Evidence) -> Iterator[_Span]:
    state = document.service
    if state is None or not state.found:
        return
    for condition in state.conditions:
        if condition.type == "Ready":
            style = {"True": "good", "False": "bad"}.get(condition.status, "part")
            label = f"Ready={condition.status}"
            yield from _span(label, condition.last_transition, document.window.end, style)


def _probe_spans(document: Evidence) -> Iterator[_Span]:
    labels = matrix.labels(document.vantages)
    for label, seen in zip(labels, document.vantages, strict=True):
        probe = seen.probe
        share = seen.ratio
        style = "part" if share is None or 0 < share < 1 else "good" if share else "bad"
        yield from _span(label, probe.at, probe.until, style, f"{probe.good}/{probe.valid}")


def _step_spans(document: Evidence) -> Iterator[_Span]:
    """The steps; those that went well in no time stand in the table alone."""
    styles = {"PASS": "good", "INCONCLUSIVE": "part"}
    for step in document.steps:
        if step.verdict is Verdict.PASS and step.seconds < _MOMENT:
            continue
        style = styles.get(step.verdict.value, "bad")
        yield from _span(step.step, step.started, step.ended, style, step.verdict.value)


def _bar(span: _Span, first: datetime, whole: float, *, top: float) -> Iterator[str]:
    x = _LEFT + _PLOT * (span.start - first).total_seconds() / whole
    width = max(3.0, _PLOT * (span.end - span.start).total_seconds() / whole)
    told = f"<title>{escape(span.text)}</title>" if span.text else ""
    yield _text(8, top + 13, _label(span.label))
    yield (
        f'<rect class="{span.style}" x="{min(x, WIDTH - _RIGHT - 3):.1f}" y="{top + 3:g}" '
        f'width="{width:.1f}" height="14" rx="2">{told}</rect>'
    )


def _svg(document: Evidence, title: str, height: float, parts: Sequence[str]) -> str:
    named = escape(title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img" aria-label="{_quoted(named)}">',
            STYLE,
            f'<rect class="bg" width="{WIDTH}" height="{height:g}"/>',
            _text(8, 18, title),
            _text(WIDTH - _RIGHT, 18, document.run_id, anchor="end", style="q"),
            *parts,
            "</svg>\n",
        ]
    )


def _quoted(text: str) -> str:
    return text.replace('"', "&quot;")


def _text(x: float, y: float, text: str, *, anchor: str = "", style: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.5g}" y="{y:.5g}"{where}{kind}>{escape(text)}</text>'


def _label(text: str) -> str:
    """A label that ends before the plot begins."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _short(seconds: float) -> str:
    """A duration for a label."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
