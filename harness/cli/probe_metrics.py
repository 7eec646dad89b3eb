"""Prometheus metrics of probes, under the names that users of blackbox_exporter know."""

from __future__ import annotations

from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from harness.cli.probe_round import Round
from harness.core.errors import EnvironmentProblem, UsageError, VpmError
from harness.core.observation import ProbeObserved
from harness.core.verdict import Claim, Verdict

_LABELS = ("service", "namespace", "vantage")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# blackbox_exporter's phase names for ours.
_PHASES = {
    "resolve": "resolve",
    "connect": "connect",
    "tls": "tls",
    "wait": "processing",
    "transfer": "transfer",
}


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `:9115` or `127.0.0.1:9115`; without a host it is the loopback address.

    Errors:
        UsageError: there is no port.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--metrics {text}: is not [HOST]:PORT", mend="write :9115")
    return host or "127.0.0.1", int(port)


class ProbeMetrics:
    """The metrics of all rounds so far. Gauges are of the last round, counters of all."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._server: tuple[WSGIServer, Thread] | None = None
        self._gauges: list[Gauge] = []
        self._success = self._gauge("probe_success", "1 if the vantage reached the service.")
        self._duration = self._gauge("probe_duration_seconds", "Mean duration of good attempts.")
        self._dns = self._gauge("probe_dns_lookup_time_seconds", "Mean duration of resolving.")
        self._status = self._gauge("probe_http_status_code", "Status seen most often, or 0.")
        self._phases = Gauge(
            "probe_http_duration_seconds",
            "Mean duration of a phase of good attempts.",
            (*_LABELS, "phase"),
            registry=self.registry,
        )
        self._gauges.append(self._phases)
        self._lost = Counter(
            "vpm_probe_lost_rounds",
            "Rounds that could not be made, so that no gauge says anything.",
            registry=self.registry,
        )
        self._attempts = Counter(
            "vpm_probe_attempts",
            "Attempts by outcome; prober errors and warm-up included.",
            (*_LABELS, "outcome"),
            registry=self.registry,
        )
        self._answers = Counter(
            "vpm_probe_answers",
            "Answers by status class; those to warm-up included.",
            (*_LABELS, "status_class"),
            registry=self.registry,
        )
        self._valid = self._counter("vpm_probe_valid", "Attempts that say something.")
        self._good = self._counter("vpm_probe_good", "Valid attempts that passed every hop.")
        self._latency = Histogram(
            "vpm_probe_latency_seconds",
            "Duration of good attempts.",
            _LABELS,
            registry=self.registry,
            buckets=_BUCKETS,
        )

    @classmethod
    def served(cls, address: tuple[str, int]) -> ProbeMetrics:
        """Metrics that are served over HTTP until they are closed.

        Errors:
            EnvironmentProblem: the address cannot be used.
        """
        metrics = cls()
        host, port = address
        try:
            metrics._server = start_http_server(port, addr=host, registry=metrics.registry)
        except OSError as error:
            raise EnvironmentProblem(
                f"cannot serve metrics on {host}:{port}: {error.strerror}",
                mend="choose another port with --metrics",
            ) from error
        return metrics

    @property
    def port(self) -> int:
        """The port that is served, 0 when none is."""
        return int(self._server[0].server_port) if self._server else 0

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()

    def observe(self, seen: Round | VpmError) -> None:
        """Take in one round; of one that could not be made there is nothing to see."""
        if isinstance(seen, VpmError):
            self._lost.inc()
            for gauge in self._gauges:
                gauge.clear()
            return
        reached = {claim.vantage: claim for claim in seen.details if claim.name == "reachable"}
        for probe in seen.probes:
            self._observe_probe(probe, reached.get(probe.vantage))
            labels = _labels(probe)
            for sample in seen.samples.get(probe.vantage, ()):
                if sample["outcome"] == "ok" and not sample["warmup"]:
                    self._latency.labels(*labels).observe(sample["duration_s"])

    def _observe_probe(self, probe: ProbeObserved, claim: Claim | None) -> None:
        labels = _labels(probe)
        passed = claim is not None and claim.verdict is Verdict.PASS
        self._success.labels(*labels).set(1 if passed else 0)
        self._valid.labels(*labels).inc(probe.valid)
        self._good.labels(*labels).inc(probe.good)
        for outcome, count in probe.outcomes.items():
            self._attempts.labels(*labels, outcome).inc(count)
        for name, count in probe.status_classes.items():
            self._answers.labels(*labels, name).inc(count)
        statuses = probe.statuses
        status = max(statuses, key=lambda key: statuses[key]) if statuses else "0"
        self._status.labels(*labels).set(int(status))
        if probe.latency is not None:
            self._duration.labels(*labels).set(probe.latency.mean)
        for phase, name in _PHASES.items():
            if phase in probe.phases:
                self._phases.labels(*labels, name).set(probe.phases[phase].mean)
        if "resolve" in probe.phases:
            self._dns.labels(*labels).set(probe.phases["resolve"].mean)

    def _gauge(self, name: str, help: str) -> Gauge:
        gauge = Gauge(name, help, _LABELS, registry=self.registry)
        self._gauges.append(gauge)
        return gauge

    def _counter(self, name: str, help: str) -> Counter:
        return Counter(name, help, _LABELS, registry=self.registry)


def _labels(probe: ProbeObserved) -> tuple[str, str, str]:
    return probe.service, probe.namespace, probe.vantage
