"""From what a comment asks for, and who wrote it, to contracts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import ValidationError

from harness.contracts.ask import (
    ApplyAsked,
    Asked,
    AskRefused,
    DocumentAsked,
    OverlayEntry,
    Question,
    choose,
    plain,
)
from harness.contracts.forms import safe_name
from harness.contracts.model import (
    SCHEMA,
    Approval,
    Contract,
    Manifest,
    Origin,
    Resource,
    Target,
)
from harness.contracts.policy import AskRules

Standing = Literal["refused", "proposed", "approved"]
LOCAL = "LOCAL"


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a comment. `association` is GitHub's, or LOCAL for somebody at this machine."""

    login: str
    association: str


def standing(author: Author, rules: AskRules) -> Standing:
    """Whether somebody's comments are refused, become proposals, or count as approved.

    Somebody at this machine may propose: the approval is a command of its own.
    """
    if author.association == LOCAL:
        return "proposed"
    if author.association not in rules.may_propose:
        return "refused"
    return "approved" if author.login in rules.approvers else "proposed"


def contracts_for(
    asked: Asked,
    *,
    author: Author,
    origin: Origin,
    rules: AskRules,
    target: Target,
    entries: Sequence[OverlayEntry],
    now: datetime,
) -> tuple[Contract, ...]:
    """The contracts that a comment makes: one for each manifest that it names.

    Errors:
        AskRefused: the author may not ask, or a name is not in the overlay.
    """
    stand = standing(author, rules)
    if stand == "refused":
        allowed = ", ".join(rules.may_propose)
        raise AskRefused(f"@{safe_name(author.login)} may not ask here (allowed: {allowed}).")
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    base = Contract(
        schema=SCHEMA,
        id=f"ask_{stamp}",
        kind="ask",
        source="ask",
        created=now,
        target=target,
        origin=origin,
    )
    match asked:
        case Question():
            return (base.model_copy(update={"note": asked.note[:4000]}),)
        case DocumentAsked():
            return (_document(base, asked, stamp),)
        case ApplyAsked():
            chosen = [choose(name, entries) for name in asked.names]
            unique = {entry.path: entry for entry in chosen}.values()
            return tuple(_apply(base, entry, stand, author, stamp) for entry in unique)


def _document(base: Contract, asked: DocumentAsked, stamp: str) -> Contract:
    if len(asked.document) > 32_000:
        raise AskRefused("The context document has more than 32000 characters.")
    return base.model_copy(
        update={
            "id": f"{asked.kind}_{stamp}",
            "kind": asked.kind,
            "context_document": asked.document,
        }
    )


def _action(entry: OverlayEntry) -> Manifest:
    try:
        resource = Resource(
            api=entry.api, kind=entry.kind, name=entry.name, namespace=entry.namespace
        )
        return Manifest(verb="apply", manifest=entry.path, resource=resource)
    except ValidationError as error:
        raise AskRefused(
            f"`{plain(entry.path)}` has a name, or holds an object, that no contract can name."
        ) from error


def _apply(
    base: Contract, entry: OverlayEntry, stand: Standing, author: Author, stamp: str
) -> Contract:
    action = _action(entry)
    approval = Approval(by=safe_name(author.login), at=base.created, over=entry.digest)
    return base.model_copy(
        update={
            "id": f"apply_{safe_name(entry.name).replace('-', '_')}_dev_{stamp}",
            "kind": "apply",
            "note": f"S5 dev apply: {entry.path}",
            "scope": entry.path,
            "actions": (action,),
            "approval": approval if stand == "approved" else None,
        }
    )
