"""pytest-kind's own options: mapped to ours or refused with a reason, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from harness.core.errors import UsageError

_DEFAULT_NAME: Final = "pytest-kind"


@dataclass(frozen=True, slots=True)
class KindOptions:
    """What pytest-kind's options ask of our driver; None where they ask nothing."""

    keep: Literal["always"] | None = None
    kind_bin: str | None = None
    image: str | None = None


def map_options(values: Mapping[str, object], *, provider: str, cluster: str) -> KindOptions:
    """What the options mean for us. `values` are pytest-kind's, by their destination names.

    Without a value that somebody gave, nothing is asked for any provider.

    Errors:
        UsageError: an option that contradicts the scenario, or that has no meaning here.
    """
    name = values.get("cluster_name")
    given = {
        "--cluster-name": name if name != _DEFAULT_NAME else None,
        "--keep-cluster": values.get("keep_cluster"),
        "--kubeconfig": values.get("kubeconfig"),
        "--kind-image": values.get("kind_image"),
        "--kind-bin": values.get("kind_bin"),
        "--kind-kubectl-bin": values.get("kind_kubectl_bin"),
    }
    used = [option for option, value in given.items() if value]
    if used and provider != "kind":
        raise UsageError(
            f"{', '.join(used)} belong to kind, and the cluster is {provider}",
            mend="leave them out, or add --vpm-cluster=kind",
        )
    if given["--cluster-name"] not in (None, cluster):
        raise UsageError(
            f"--cluster-name {name} is not the scenario's cluster {cluster}",
            mend="change cluster.name in the scenario, or leave the option out",
        )
    if given["--kubeconfig"]:
        raise UsageError(
            "--kubeconfig is not taken: the kind driver keeps a kubeconfig of its own",
            mend="to use a cluster that is there: --vpm-cluster=existing --vpm-kubeconfig FILE",
        )
    if given["--kind-kubectl-bin"]:
        raise UsageError(
            "--kind-kubectl-bin is not taken: the locked kubectl of this environment is used",
            mend="leave it out",
        )
    return KindOptions(
        keep="always" if given["--keep-cluster"] else None,
        kind_bin=_text(given["--kind-bin"]),
        image=_text(given["--kind-image"]),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None
