"""The kind Fault and its CustomResourceDefinition."""

from collections.abc import Mapping
from typing import Any

from infra.embedded.faults.model import PARAMETERS, Fault, FaultError
from infra.embedded.kinds import Column, Kind
from infra.embedded.store import Obj

FAULT = Kind(
    "emulator.vpm.dev",
    "v1alpha1",
    "Fault",
    "faults",
    namespaced=False,
    status=True,
    columns=(Column("Type", ".spec.type"), Column("Phase", ".status.phase")),
    custom=True,
)

_JSON = {str: "string", float: "number", int: "integer"}


def why_refused(spec: Mapping[str, Any]) -> str:
    """Why a Fault of this spec may not be stored; empty when it may."""
    try:
        Fault.parse(spec)
    except FaultError as error:
        return str(error)
    return ""


def definition() -> Obj:
    """The CustomResourceDefinition of the kind."""
    parameters = {
        name: {"type": _JSON[rule[0]]}
        for known in PARAMETERS.values()
        for name, rule in known.items()
    }
    spec = {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": list(PARAMETERS)},
            "forSeconds": {"type": "number"},
            **parameters,
        },
        # Kept, so that a misspelt parameter is refused by name instead of being left out.
        "x-kubernetes-preserve-unknown-fields": True,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{FAULT.plural}.{FAULT.group}"},
        "spec": {
            "group": FAULT.group,
            "names": {
                "kind": FAULT.kind,
                "listKind": FAULT.list_kind,
                "plural": FAULT.plural,
                "singular": FAULT.singular,
            },
            "scope": "Cluster",
            "versions": [
                {
                    "name": FAULT.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": c.name, "type": c.type, "jsonPath": c.path} for c in FAULT.columns
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": spec,
                                "status": {
                                    "type": "object",
                                    "properties": {
                                        "phase": {"type": "string"},
                                        "message": {"type": "string"},
                                    },
                                },
                            },
                        }
                    },
                }
            ],
        },
    }
