"""How scenarios are spread over workers: a scenario whole, everything else test by test."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class ScenarioScheduling(LoadScopeScheduling):
    """Like `--dist load`, but the steps of one scenario stay together and in order."""

    def _split_scope(self, nodeid: str) -> str:
        file, separator, _ = nodeid.partition("scenario.yaml::")
        return file + separator if separator else nodeid
