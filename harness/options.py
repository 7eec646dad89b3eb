"""What whoever starts a run chooses: the same choices for pytest and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Provider = Literal["auto", "embedded", "kind", "existing"]
PROVIDERS: tuple[Provider, ...] = ("auto", "embedded", "kind", "existing")
Keep = Literal["never", "on-failure", "always"]
KEEPS: tuple[Keep, ...] = ("never", "on-failure", "always")


@dataclass(frozen=True, slots=True)
class Choice:
    """One option: its name, what it is for, and what it may be (empty: any text).

    Options `of_run` say nothing about the cluster itself.
    """

    name: str
    help: str
    values: tuple[str, ...] = ()
    default: str | None = None
    flag: bool = False
    of_run: bool = False


CHOICES: tuple[Choice, ...] = (
    Choice("cluster", "which cluster to use", PROVIDERS, "auto"),
    Choice("context", "kubeconfig context, with --{prefix}cluster=existing"),
    Choice("kubeconfig", "kubeconfig file of that context (default: $KUBECONFIG)"),
    Choice("gateway", "HOST:PORT of the gateway, where it cannot be found"),
    Choice("domain", "domain of the KServices, where it cannot be found"),
    Choice(
        "keep",
        "what becomes of a cluster that this run made (default: kind always, embedded never)",
        KEEPS,
        of_run=True,
    ),
    Choice("bootstrap", "install Knative and kourier on an existing cluster", flag=True),
    Choice("fresh", "do not use a cluster that was kept", flag=True),
    Choice("lang", "language of the evidence (default: the scenario's)", ("en", "ja"), of_run=True),
    Choice("reports", "folder of the evidence (default: reports/ of the repository)", of_run=True),
    Choice("knative", "version of Knative Serving (default: the scenario's)"),
    Choice("bundle", "folder or file with the manifests and images, in place of the network"),
    Choice("image-map", "YAML file with lines of `IMAGE: OTHER-IMAGE`"),
    Choice("kind-bin", "kind executable (default: $KIND_BIN, then PATH)"),
    Choice(
        "kind-download", "download kind where there is none: pinned, checked by SHA-256", flag=True
    ),
    Choice("kind-image", "kind node image (default: that of this kind)"),
    Choice("http-port", "port of the kind cluster's gateway on this machine (default: 80)"),
    Choice("https-port", "TLS port of the kind cluster's gateway (default: 443)"),
    Choice("images", "file with more images for the embedded cluster"),
    Choice("port", "HTTP port of the embedded gateway (default: 80 where it can be bound)"),
    Choice("time-scale", "how much faster the embedded cluster's clock runs"),
    Choice("agent-image", "image with Python for the in-cluster probes", of_run=True),
)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The choices of one run. The defaults are those of `CHOICES`."""

    cluster: Provider = "auto"
    context: str | None = None
    kubeconfig: str | None = None
    gateway: str | None = None
    domain: str | None = None
    keep: Keep | None = None
    bootstrap: bool = False
    fresh: bool = False
    lang: Literal["en", "ja"] | None = None
    reports: Path | None = None
    knative: str | None = None
    bundle: str | None = None
    image_map: str | None = None
    kind_bin: str | None = None
    kind_download: bool = False
    kind_image: str | None = None
    http_port: str | None = None
    https_port: str | None = None
    images: str | None = None
    port: str | None = None
    time_scale: str | None = None
    agent_image: str | None = None
    prefix: str = "--"

    @property
    def of_providers(self) -> dict[str, str]:
        """The options that only some providers have; a driver refuses those it has not."""
        written = {
            "images": self.images,
            "port": self.port,
            "time-scale": self.time_scale,
            "image": self.kind_image,
            "http-port": self.http_port,
            "https-port": self.https_port,
            "kubeconfig": self.kubeconfig,
        }
        return {name: value for name, value in written.items() if value is not None}
