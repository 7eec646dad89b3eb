"""No option of pytest-kind is ignored."""

from __future__ import annotations

import pytest

from harness.core.errors import UsageError
from infra.clusters.pytest_kind_options import KindOptions, map_options

UNTOUCHED: dict[str, object] = {
    "cluster_name": "pytest-kind",
    "keep_cluster": False,
    "kubeconfig": None,
    "kind_image": None,
    "kind_bin": None,
    "kind_kubectl_bin": None,
}


@pytest.mark.parametrize("provider", ["embedded", "existing", "kind"])
def test_defaults_ask_for_nothing(provider: str) -> None:
    assert map_options(UNTOUCHED, provider=provider, cluster="vpm-mini") == KindOptions()
    assert map_options({}, provider=provider, cluster="vpm-mini") == KindOptions()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"keep_cluster": True}, KindOptions(keep="always")),
        ({"kind_bin": "/opt/kind"}, KindOptions(kind_bin="/opt/kind")),
        ({"kind_image": "kindest/node:v1.33.1"}, KindOptions(image="kindest/node:v1.33.1")),
        ({"cluster_name": "vpm-mini"}, KindOptions()),
    ],
)
def test_mapped(changed: dict[str, object], expected: KindOptions) -> None:
    values = {**UNTOUCHED, **changed}
    assert map_options(values, provider="kind", cluster="vpm-mini") == expected
    with pytest.raises(UsageError, match="belong to kind"):
        map_options(values, provider="embedded", cluster="vpm-mini")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cluster_name": "other"}, "is not the scenario's cluster vpm-mini"),
        ({"kubeconfig": "/k"}, "keeps a kubeconfig of its own"),
        ({"kind_kubectl_bin": "/k"}, "locked kubectl"),
    ],
)
def test_refused_with_a_reason(changed: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        map_options({**UNTOUCHED, **changed}, provider="kind", cluster="vpm-mini")
    assert caught.value.mend


@pytest.mark.parametrize("option", sorted(UNTOUCHED))
def test_every_option_of_pytest_kind_has_an_effect(option: str) -> None:
    values = {**UNTOUCHED, option: "given"}
    try:
        answer = map_options(values, provider="kind", cluster="vpm-mini")
    except UsageError:
        return
    assert answer != KindOptions()
