"""`vpm probe`: send requests to a KService from several vantages, and say what is broken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live

from harness.app import open_cluster, tools_for, url_prober
from harness.cli.cold import show_cold_start
from harness.cli.missing import located
from harness.cli.options import run_options, to_run_options
from harness.cli.probe_metrics import ProbeMetrics, parse_address
from harness.cli.probe_round import Round, probe_round, round_as_json, url_round
from harness.cli.probe_url import url_options
from harness.cli.probe_view import render, render_line
from harness.core.errors import UsageError, VpmError
from harness.options import RunOptions
from harness.spec.model import VANTAGES, ProbeAction
from harness.spec.units import parse_duration
from harness.spec.words import ExitCode
from harness.timing.clock import SystemClock
from probes.web import web_url

# What any object's name may be; "localhost:8080/x" and "default/hello" are none.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
# What pydantic says before what is wrong.
_NOISE = re.compile(r"^(Value error, |(Input|String|Tuple|List) (?=should))")
_LOG_WIDTH = 240
# Options that are called otherwise than the scenario's keys.
_OPTIONS = {"vantages": "vantage", "headers": "header", "objectives": "objective"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for.

    `interval` (seconds) is None for a single round; `url` is empty where a KService is named.
    """

    namespace: str
    action: ProbeAction
    interval: float | None
    metrics: tuple[str, int] | None
    as_json: bool
    url: str = ""


@click.command()
@click.argument("service", metavar="SERVICE|URL")
@click.option("--namespace", "-n", default="default", show_default=True, help="Its namespace.")
@click.option(
    "--vantage",
    "vantages",
    default="devbox,gateway,in-cluster",
    show_default=True,
    help=f"Places to send from, separated by commas: {', '.join(VANTAGES)}, kubectl://POD.",
)
@click.option("--requests", type=int, default=20, show_default=True, help="From each vantage.")
@click.option("--rate", default="10/s", show_default=True, help="Of each vantage.")
@click.option("--warmup", type=int, default=0, show_default=True, help="Requests not counted.")
@click.option("--timeout", default="5s", show_default=True, help="Of one request.")
@click.option("--scheme", type=click.Choice(["http", "https"]), default="http", show_default=True)
@click.option("--method", default="GET", show_default=True, help="HTTP method.")
@click.option("--path", default="/", show_default=True, help="Path and query.")
@click.option("--header", "headers", multiple=True, help="NAME:VALUE; may be repeated.")
@click.option("--status", type=int, default=200, show_default=True, help="The status wanted.")
@click.option("--contains", help="Text that the body must contain.")
@click.option(
    "--dns",
    type=click.Choice(["default", "system", "auto"]),
    default="default",
    show_default=True,
    help="auto: go on by the address that a magic name spells; default: auto when embedded.",
)
@click.option("--resolver", help="ADDRESS:PORT of the DNS server to ask.")
@click.option("--resolve", help="ADDRESS to take for the public name on the devbox.")
@click.option(
    "--upload", type=int, default=0, show_default=True, help="Bytes to send with each request."
)
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    help="success>=99% or latency<=500ms>=95%; with :proven the interval is judged.",
)
@click.option(
    "--cold-start",
    is_flag=True,
    help="Wait until there is no pod, send one request, and split the time of its answer.",
)
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C, and keep the picture live.")
@click.option("--interval", default="5s", show_default=True, help="Between rounds.")
@click.option("--metrics", help="[HOST]:PORT for Prometheus to scrape; goes on until Ctrl-C.")
@click.option(
    "--json", "as_json", is_flag=True, help="Samples and summary as JSON, a line a round."
)
@run_options
@click.pass_context
def probe(context: click.Context, /, **given: Any) -> None:
    """Probe a KService from several vantages at once and name the first broken hop.

    A URL (http://127.0.0.1:8080/) is probed from this machine alone, without any cluster: then
    the verdict is about reaching it, and says nothing about READY.

    Exit codes: 0 PASS, 1 FAIL, 2 bad usage, 3 INCONCLUSIVE, 4 ERROR; of the last round, when
    there are many.
    """
    asked = read_options(given, _typed(context))
    if given["cold_start"]:
        context.exit(show_cold_start(asked.action, asked.namespace, to_run_options(given)))
    code: ExitCode | None = None
    with ExitStack() as stack:
        metrics = ProbeMetrics.served(asked.metrics) if asked.metrics else None
        if metrics is not None:
            stack.callback(metrics.close)
        console = _console()
        moving = asked.interval is not None and not asked.as_json and console.is_terminal
        live = stack.enter_context(Live(console=console, auto_refresh=False)) if moving else None
        try:
            for seen in _rounds(asked, to_run_options(given)):
                code = exit_code(seen)
                if metrics is not None:
                    metrics.observe(seen)
                _show(seen, asked, live)
        except KeyboardInterrupt:
            if asked.interval is None or code is None:
                raise
    assert code is not None  # there was a round, or an error that said why there was none
    context.exit(code)


def _typed(context: click.Context) -> frozenset[str]:
    """The parameters that the command line names."""
    source = click.core.ParameterSource.COMMANDLINE
    return frozenset(n for n in context.params if context.get_parameter_source(n) is source)


def exit_code(seen: Round | VpmError) -> ExitCode:
    """How a command ends whose last round this was."""
    return seen.exit_code if isinstance(seen, VpmError) else seen.claim.verdict.exit_code


def _rounds(asked: Asked, options: RunOptions) -> Iterator[Round | VpmError]:
    """One round, or one after the other until interrupted; sample files live only for a round.

    A first round that cannot be made ends it; a later one is told of as an error: an API server
    that is away for a while, or a service that somebody makes anew, is worth waiting for.
    """
    clock = SystemClock()
    begun = False
    with _target(asked, options) as look:
        while True:
            with TemporaryDirectory(prefix="vpm-probe-") as scratch:
                try:
                    seen: Round | VpmError = look(Path(scratch))
                except VpmError as error:
                    if not begun:
                        raise
                    seen = error
            begun = True
            yield seen
            if asked.interval is None:
                return
            clock.sleep(asked.interval)


@contextmanager
def _target(asked: Asked, options: RunOptions) -> Iterator[Callable[[Path], Round]]:
    """What makes one round in a folder: of a KService on a cluster, or of a URL without one."""
    if asked.url:
        yield lambda folder: url_round(
            url_prober(asked.url, folder), asked.url, asked.action, folder=folder
        )
        return

    def look(folder: Path) -> Round:
        tools = tools_for(cluster, options, root=Path.cwd(), folder=folder)
        with located(cluster):
            return probe_round(tools, asked.action, namespace=asked.namespace, folder=folder)

    with open_cluster(options) as cluster:
        yield look


def _show(seen: Round | VpmError, asked: Asked, live: Live | None) -> None:
    if isinstance(seen, VpmError):
        click.echo(f"error: {seen}", err=True)
    elif asked.as_json:
        click.echo(json.dumps(round_as_json(seen)))
    elif live is not None:
        live.update(render(seen, verdict_first=True), refresh=True)
    elif asked.interval is not None:
        _console().print(render_line(seen))
    else:
        _console().print(render(seen))


def _console() -> Console:
    """Lines of a file or a CI log are not cut at the width of a terminal that is not there."""
    console = Console()
    return console if console.is_terminal else Console(width=_LOG_WIDTH)


def read_options(given: dict[str, Any], typed: Collection[str] = ()) -> Asked:
    """The options of the command line, checked; `typed` are those that were not left out.

    Errors:
        UsageError: with every problem at once.
    """
    url = ""
    if "://" in given["service"]:
        url = web_url(given["service"])
        given = {**given, "service": url, **url_options(given, typed)}
    elif not _NAME.fullmatch(given["service"]):
        raise UsageError(
            f"{given['service']} is neither the name of a KService nor a URL",
            mend="vpm probe NAME [--namespace NAMESPACE] [--path PATH], or http://HOST[:PORT]/PATH",
        )
    keys = ("service", "requests", "rate", "warmup", "timeout", "scheme", "method", "path")
    raw = {key: given[key] for key in (*keys, "status", "dns", "resolver", "resolve", "upload")}
    raw["vantages"] = [name.strip() for name in given["vantages"].split(",") if name.strip()]
    raw["headers"] = dict(_header(text) for text in given["headers"])
    raw["objectives"] = [read_objective(text) for text in given["objectives"]]
    if given["contains"] is not None:
        raw["body"] = {"contains": given["contains"]}
    metrics = parse_address(given["metrics"]) if given["metrics"] else None
    return Asked(
        namespace=given["namespace"],
        action=_validated(raw),
        interval=_interval(given["interval"]) if given["watch"] or metrics else None,
        metrics=metrics,
        as_json=given["as_json"],
        url=url,
    )


def read_objective(text: str) -> dict[str, str]:
    """An objective as the scenario file would say it: `latency<=500ms>=95%:proven`.

    Errors:
        UsageError: the text has another form.
    """
    written, _, judge = text.partition(":")
    indicator, arrow, target = written.partition(">=")
    metric, _, threshold = indicator.partition("<=")
    if not arrow:
        raise UsageError(
            f"--objective {text}: is not an objective",
            mend="write success>=99% or latency<=500ms>=95%, with :proven if it must be proven",
        )
    fields = {"metric": metric, "target": target, "threshold": threshold, "judge": judge}
    return {key: value for key, value in fields.items() if value}


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header {text}: is not NAME:VALUE")
    return name.strip(), value.strip()


def _interval(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--interval {text}: {error}") from error


def _validated(raw: dict[str, Any]) -> ProbeAction:
    try:
        return ProbeAction.model_validate(raw)
    except ValidationError as error:
        raise UsageError("\n".join(_problems(error))) from error


def _problems(error: ValidationError) -> Iterator[str]:
    """Each problem under the option's own name; a list with a bad member is not also empty."""
    details = error.errors()
    deep = {detail["loc"][0] for detail in details if len(detail["loc"]) > 1}
    for detail in details:
        if not detail["loc"]:  # about several options together: the message names them
            yield _NOISE.sub("", detail["msg"])
            continue
        field = str(detail["loc"][0])
        if detail["type"] == "too_short" and field in deep:
            continue
        message = _NOISE.sub("", detail["msg"])
        yield f"--{_OPTIONS.get(field, field)}: {detail['input']!r} {message}"
