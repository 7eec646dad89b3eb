"""The site, looked at in a real browser: it works, it is reachable, it is readable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.evidence.site import build_site
from tests.support.chromium import Page, browser_page, find_browser
from tests.support.golden import Golden

BROWSER = find_browser()
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def site(untouched: Golden, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site beside copies of the golden reports."""
    target = tmp_path_factory.mktemp("site")
    assert build_site(untouched.reports, target) == 2
    return target


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert BROWSER is not None
    with browser_page(BROWSER, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def pages(site: Path) -> list[Path]:
    return [site / "index.html", *sorted((site / "runs").glob("*.html"))]


def test_there_is_one_page_for_each_run_and_an_index(site: Path, untouched: Golden) -> None:
    names = [path.relative_to(site).as_posix() for path in pages(site)]
    runs = sorted((untouched.first.name, untouched.run.name))
    assert names == ["index.html", *(f"runs/{name}.html" for name in runs)]


def test_every_link_leads_somewhere(site: Path) -> None:
    for path in pages(site):
        links = re.findall(r'href="([^"#]+)"', path.read_text(encoding="utf-8"))
        assert links
        for link in links:
            assert link == "data:," or (path.parent / link).exists(), (path.name, link)


def test_nothing_is_loaded_from_anywhere(site: Path) -> None:
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r'\ssrc="|@import|url\(|href="https?:', text)
        assert "default-src 'none'" in text


def test_text_of_others_is_escaped(golden: Golden, tmp_path: Path) -> None:
    for document in golden.run.glob("evidence/*.json"):
        text = document.read_text(encoding="utf-8")
        document.write_text(text.replace("all 5 steps passed", "<script>alert(1)</script>"))
    build_site(golden.reports, tmp_path)
    for path in pages(tmp_path):
        text = path.read_text(encoding="utf-8")
        assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_unreadable_documents_are_left_out(golden: Golden, tmp_path: Path) -> None:
    (golden.first / "evidence/goal_m2.scenario.json").write_text("{")
    assert build_site(golden.reports, tmp_path) == 2


def test_without_runs_there_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="runs/"):
        build_site(tmp_path, tmp_path / "site")


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_reports_an_error_or_asks_the_network(
    site: Path, page: Page, scheme: str, tmp_path: Path
) -> None:
    page.problems.clear()
    page.requests.clear()
    page.scheme(scheme)
    for path in pages(site):
        page.open(path.as_uri())
        page.screenshot(tmp_path / f"{path.stem}-{scheme}.png")
        assert (tmp_path / f"{path.stem}-{scheme}.png").stat().st_size > 10_000
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []


@needs_browser
def test_search_finds_runs_by_any_word(site: Path, page: Page, untouched: Golden) -> None:
    page.open((site / "index.html").as_uri())
    page.evaluate("document.getElementById('search').focus()")
    page.type("inconclusive devbox")
    shown = "[...document.querySelectorAll('#rows tr')].filter(r => !r.hidden)"
    assert page.evaluate(f"{shown}.map(r => r.querySelector('a').textContent)") == [
        untouched.first.name
    ]
    assert page.evaluate("document.getElementById('shown').textContent") == "1 of 2 runs"
    page.type(" nothing-like-this")
    assert page.evaluate(f"{shown}.length") == 0


@needs_browser
def test_everything_is_reachable_with_the_keyboard(
    site: Path, page: Page, untouched: Golden
) -> None:
    page.open((site / "index.html").as_uri())
    wanted = page.evaluate("document.querySelectorAll('a, input, [tabindex=\"0\"]').length")
    seen = []
    for _ in range(wanted):
        page.press("Tab")
        seen.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert len(set(seen)) == wanted
    link = f"runs/{untouched.run.name}.html"
    page.evaluate(f"document.querySelector('a[href=\"{link}\"]').focus()")
    page.press("Enter")
    page.open((site / link).as_uri())
    assert page.evaluate("document.querySelector('h1').textContent") == untouched.run.name


CONTRAST = """
(() => {
  const channel = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 };
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b) };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (c !== 'rgba(0, 0, 0, 0)') return c } return 'rgb(255, 255, 255)' };
  const poor = [];
  for (const e of document.querySelectorAll('main *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || ['SCRIPT', 'STYLE', 'title'].includes(e.tagName)) continue;
    const style = getComputedStyle(e);
    const ink = light(e instanceof SVGElement ? style.fill : style.color), page = light(behind(e));
    const ratio = (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05);
    if (ratio < 4.5) poor.push(e.tagName + ' ' + e.className + ' ' + ratio.toFixed(2));
  }
  return [...new Set(poor)];
})()
"""


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_of_level_aa(site: Path, page: Page, scheme: str) -> None:
    page.scheme(scheme)
    for path in pages(site):
        page.open(path.as_uri())
        assert page.evaluate(CONTRAST) == []
