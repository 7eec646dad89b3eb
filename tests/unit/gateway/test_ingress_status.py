"""KIngress status: as recorded in 02-lifecycle."""

from infra.embedded.gateway.ingresses import REJECTED, WAITING, ingress_status


def test_programmed_but_not_yet_served() -> None:
    status = ingress_status({}, 1, "t", WAITING)
    waiting = {"reason": "Uninitialized", "message": "Waiting for load balancer to be ready"}
    assert status == {
        "conditions": [
            {
                "lastTransitionTime": "t",
                "status": "Unknown",
                "type": "LoadBalancerReady",
                **waiting,
            },
            {"lastTransitionTime": "t", "status": "True", "type": "NetworkConfigured"},
            {"lastTransitionTime": "t", "status": "Unknown", "type": "Ready", **waiting},
        ],
        "observedGeneration": 1,
    }


def test_served() -> None:
    before = ingress_status({}, 1, "t", WAITING)
    status = ingress_status(before, 1, "u", None)
    assert [(c["type"], c["status"], c["lastTransitionTime"]) for c in status["conditions"]] == [
        ("LoadBalancerReady", "True", "u"),
        ("NetworkConfigured", "True", "t"),
        ("Ready", "True", "u"),
    ]
    public = status["publicLoadBalancer"]["ingress"][0]["domainInternal"]
    assert public == "kourier.kourier-system.svc.cluster.local"
    assert "privateLoadBalancer" in status


def test_rejected() -> None:
    """As net-kourier says it when a host is another KIngress's already."""
    why = "Ingress rejected as its domain conflicts with another ingress"
    status = ingress_status({"conditions": ["odd", {}]}, 2, "t", REJECTED)
    assert [(c["type"], c["status"], c.get("message", "")) for c in status["conditions"]] == [
        ("LoadBalancerReady", "False", why),
        ("NetworkConfigured", "Unknown", ""),
        ("Ready", "False", why),
    ]
