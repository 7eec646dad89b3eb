"""Going back from runs over several objects, some of which were not there before."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import yaml

from harness.core.errors import UsageError
from harness.core.observation import ContractObserved
from harness.runner.rollback import Rollback, make_rollback
from harness.runner.runner import load_policy
from tests.support.runner import HELLO, Desk, contract_document, manifest

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def apply_both(desk: Desk, id: str, *, target: str, names: tuple[str, ...]) -> ContractObserved:
    """Apply several KServices from one file."""
    texts = [manifest(name, target=target) for name in names]
    (desk.repo / HELLO).write_text("---\n".join(texts))
    action = dict(contract_document()["actions"][0])
    action["resource"] = {key: action["resource"][key] for key in ("api", "kind", "namespace")}
    observed = desk.runner().execute(desk.contract(id, actions=[action]))
    assert observed.state == "succeeded", observed.reason
    return observed


def back(desk: Desk, observed: ContractObserved) -> Rollback:
    policy = load_policy(desk.settings.policy)
    return make_rollback(observed.run_id, settings=desk.settings, policy=policy, now=NOW)


def test_every_object_has_a_manifest_and_an_action_of_its_own(desk: Desk) -> None:
    apply_both(desk, "first", target="One", names=("hello", "other"))
    made = back(desk, apply_both(desk, "second", target="Two", names=("hello", "other")))

    contract = json.loads(made.contract.read_text())
    assert [action["resource"]["name"] for action in contract["actions"]] == ["hello", "other"]
    assert made.not_undone == ()
    for path in made.manifests:
        env = yaml.safe_load(path.read_text())["spec"]["template"]["spec"]["containers"][0]["env"]
        assert env == [{"name": "TARGET", "value": "One"}]


def test_all_of_them_are_restored_under_one_approval(desk: Desk) -> None:
    apply_both(desk, "first", target="One", names=("hello", "other"))
    made = back(desk, apply_both(desk, "second", target="Two", names=("hello", "other")))
    assert desk.runner().preview(made.contract).reason.startswith("exec would be refused: approval")
    for name in ("hello", "other"):
        assert "Two" in str(desk.kubectl.state["objects"][name]["spec"])


def test_what_the_run_created_is_named_and_stays(desk: Desk) -> None:
    apply_both(desk, "first", target="One", names=("hello",))
    made = back(desk, apply_both(desk, "second", target="Two", names=("hello", "other")))

    (line,) = made.not_undone
    assert line.startswith("Service default/other did not exist before; contracts cannot delete")
    assert line.endswith("delete -n default services.serving.knative.dev other")
    contract = json.loads(made.contract.read_text())
    assert contract["note"].endswith(f"Not undone: {line}")
    assert [action["resource"]["name"] for action in contract["actions"]] == ["hello"]


def test_when_nothing_was_there_there_is_nothing_to_restore(desk: Desk) -> None:
    observed = apply_both(desk, "first", target="One", names=("hello", "other"))
    with pytest.raises(UsageError, match="nothing was there before") as caught:
        back(desk, observed)
    assert str(caught.value.mend).count("kubectl --context embedded-vpm-mini delete") == 2
    assert desk.filed("") == []


def test_a_failed_run_is_rolled_back_too(desk: Desk) -> None:
    apply_both(desk, "first", target="One", names=("hello",))
    desk.kubectl.state["never_ready"] = True
    (desk.repo / HELLO).write_text(manifest(target="Broken"))
    failed = desk.runner().execute(desk.contract("second"))
    assert failed.state == "failed"
    (path,) = back(desk, failed).manifests
    assert "One" in path.read_text()
    assert "Broken" not in path.read_text()


@pytest.mark.parametrize("value", ["1e3", "0o14", "12e4567", "y", "=", "1:30", "2026-01-01", "~"])
def test_a_text_stays_a_text(desk: Desk, value: str) -> None:
    """As YAML without quotes these are numbers to kubectl, although not to PyYAML, or the like."""
    apply_both(desk, "first", target=value, names=("hello",))
    made = back(desk, apply_both(desk, "second", target="Two", names=("hello",)))
    assert f'value: "{value}"' in made.manifests[0].read_text()
