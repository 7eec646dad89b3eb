"""The pytest plugin: `scenario.yaml` files are collected, and each of their steps is an item."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pytest

from harness.clash import check_packages

if TYPE_CHECKING:
    from harness.options import RunOptions
    from harness.pytest_scenario import Runs

PREFIX = "vpm-"
SCENARIO = "scenario.yaml"
_DEPTH = 3


class WorkerOutput(TypedDict):
    """What a worker of pytest-xdist sends when it ends: whether its runs did well, and lines."""

    well: bool
    summary: list[str]


OUTPUT = "vpm"
FROM_WORKERS = pytest.StashKey[list[WorkerOutput]]()

pytest_plugins = ("harness.pytest_fixtures",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `harness.options`, each with the prefix --vpm-."""
    from harness.options import CHOICES

    group = parser.getgroup("vpm", "vpm-harness: is a Knative service really up?")
    for choice in CHOICES:
        name = f"--{PREFIX}{choice.name}"
        text = choice.help.format(prefix=PREFIX)
        if choice.flag:
            group.addoption(name, action="store_true", default=False, help=text)
        elif choice.values:
            values = list(choice.values)
            group.addoption(name, choices=values, default=choice.default, help=text)
        else:
            group.addoption(name, default=choice.default, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run where another package hides one of ours."""
    clash = check_packages()
    if clash:
        raise pytest.UsageError(clash)
    if wants_scenarios(config):
        from harness.pytest_scenario import Runs

        config.stash[runs_key()] = Runs(config, options_of(config))


def runs_key() -> pytest.StashKey[Runs]:
    """Where a session keeps its runs."""
    from harness.pytest_scenario import RUNS

    return RUNS


def pytest_report_header(config: pytest.Config) -> str | None:
    """Which cluster scenarios will use, and why."""
    if not wants_scenarios(config) or hasattr(config, "workerinput"):
        return None
    from harness.provider import describe_choice

    return f"vpm: {describe_choice(options_of(config))}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect `scenario.yaml`."""
    if file_path.name != SCENARIO:
        return None
    from harness.pytest_scenario import Runs, ScenarioFile

    if runs_key() not in parent.config.stash:
        parent.config.stash[runs_key()] = Runs(parent.config, options_of(parent.config))
    file: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return file


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each scenario's steps back together and in order, whatever has shuffled them."""
    scenario = sys.modules.get("harness.pytest_scenario")
    if scenario is not None:
        items[:] = scenario.in_order(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Stop before the first step where the cluster that was asked for cannot be had."""
    scenario = sys.modules.get("harness.pytest_scenario")
    if scenario is not None and not session.config.option.collectonly:
        scenario.stop_without_cluster(session.items, session.config.stash[runs_key()])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Keep each scenario on one worker; other tests are spread as before."""
    if config.getvalue("dist") not in ("load", "worksteal") or not wants_scenarios(config):
        return None
    from harness.pytest_xdist import ScenarioScheduling

    return ScenarioScheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what is still open: cleanup always runs."""
    config = session.config
    runs = config.stash.get(runs_key(), None) if _used() else None
    well = runs is None or runs.close_all()
    if runs is not None and hasattr(config, "workeroutput"):
        config.workeroutput[OUTPUT] = {"well": well, "summary": list(runs.summary())}
    well = well and all(output["well"] for output in config.stash.get(FROM_WORKERS, ()))
    if not well and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist has to say; one that crashed says nothing."""
    output = getattr(node, "workeroutput", {}).get(OUTPUT)
    if output is not None:
        node.config.stash.setdefault(FROM_WORKERS, []).append(output)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """The verdict of each run and where its evidence is."""
    folders = [argument for argument in config.args if Path(argument).is_dir()]
    deselected = terminalreporter.stats.get("deselected")
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and folders and not deselected:
        terminalreporter.write_line(f"vpm: there is no {SCENARIO} in {', '.join(folders)}")
    runs = config.stash.get(runs_key(), None) if _used() else None
    lines = list(runs.summary()) if runs is not None else []
    for output in config.stash.get(FROM_WORKERS, ()):
        lines += output["summary"]
    if lines:
        terminalreporter.section("vpm")
        for line in lines:
            terminalreporter.write_line(line)


def options_of(config: pytest.Config) -> RunOptions:
    """The session's choices."""
    from harness.options import CHOICES, RunOptions

    values = {
        choice.name.replace("-", "_"): config.getoption(f"--{PREFIX}{choice.name}")
        for choice in CHOICES
    }
    values["reports"] = Path(values["reports"]) if values["reports"] else None
    # pytest-kind's own option, where that plugin is there: a driver is chosen by it.
    values["kind_bin"] = values["kind_bin"] or config.getoption("kind_bin", None)
    return RunOptions(**values, prefix=f"--{PREFIX}")


def wants_scenarios(config: pytest.Config) -> bool:
    """Whether this session is about scenarios: cheap, and before anything is collected."""
    names = [str(argument).split("::")[0] for argument in config.args or ()]
    return any(_holds_scenario(Path(name)) for name in names)


def _holds_scenario(path: Path) -> bool:
    if path.is_file():
        return path.name == SCENARIO
    return any(_scenarios_below(path, _DEPTH))


def _scenarios_below(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / SCENARIO).is_file():
        yield folder / SCENARIO
    elif depth and folder.is_dir():
        for child in _folders(folder):
            yield from _scenarios_below(child, depth - 1)


def _folders(folder: Path) -> Sequence[Path]:
    hidden = (".", "node_modules", "__pycache__")
    try:
        return [c for c in folder.iterdir() if c.is_dir() and not c.name.startswith(hidden)]
    except OSError:
        return []


def _used() -> bool:
    return "harness.pytest_scenario" in sys.modules
