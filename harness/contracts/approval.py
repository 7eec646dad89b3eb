"""Approvals: what is signed, and which consent counts. Verified, never believed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.contracts.model import Approval
from harness.contracts.policy import ApprovalRules
from harness.contracts.refusal import Reason, Refusal
from harness.contracts.strict_json import text_of
from harness.core.errors import UsageError

PAYLOAD = "vpm.approval/v1"


@dataclass(frozen=True, slots=True)
class Subject:
    """What an approval must be over: content digest, diff digest (if known), and target."""

    over: str
    target: str
    diff: str | None = None


def payload(*, by: str, at: datetime, subject: Subject) -> bytes:
    """The bytes that a signer signs: everything that the approval says, in one spelling."""
    return text_of(
        {
            "type": PAYLOAD,
            "by": by,
            "at": at.astimezone(UTC).isoformat(),
            "over": subject.over,
            "diff": subject.diff,
            "target": subject.target,
        }
    )


def sign(*, by: str, at: datetime, subject: Subject, pem: bytes) -> Approval:
    """A signed approval by the holder of an ed25519 private key (PEM, not encrypted).

    Errors:
        UsageError: the key is not such a key.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(f"not a private key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError("the key is not an ed25519 key", mend="make one: vpm runner keygen")
    signature = key.sign(payload(by=by, at=at, subject=subject))
    return Approval(
        by=by,
        at=at,
        over=subject.over,
        diff=subject.diff,
        level="signed",
        signature=base64.b64encode(signature).decode(),
    )


def unmet(
    approvals: Iterable[Approval], *, subject: Subject, provider: str, rules: ApprovalRules
) -> Refusal | None:
    """None when one of the approvals counts, else why none does. A pure function.

    An approval that names a diff counts only when `subject.diff` is that diff; a subject whose
    diff is not known yet (None) leaves that question open.
    """
    problems = []
    for approval in approvals:
        problem = _problem(approval, subject=subject, provider=provider, rules=rules)
        if problem is None:
            return None
        problems.append(problem)
    if problems:
        return sorted(problems, key=lambda problem: problem.reason is not Reason.DIFF_DRIFTED)[0]
    return Refusal(Reason.APPROVAL_MISSING, f"nobody approved {subject.over} on {subject.target}")


def _problem(
    approval: Approval, *, subject: Subject, provider: str, rules: ApprovalRules
) -> Refusal | None:
    if approval.over != subject.over:
        detail = f"{approval.by} approved {approval.over}, the content is {subject.over}"
        return Refusal(Reason.APPROVAL_INVALID, detail)
    level = _level_problem(approval, target=subject.target, provider=provider, rules=rules)
    if level:
        return Refusal(Reason.APPROVAL_INVALID, level)
    if approval.diff and subject.diff and approval.diff != subject.diff:
        return Refusal(Reason.DIFF_DRIFTED, f"{approval.by} approved {approval.diff}")
    return None


def _level_problem(
    approval: Approval, *, target: str, provider: str, rules: ApprovalRules
) -> str | None:
    if approval.level == "recorded":
        if provider in rules.recorded_on:
            return None
        return f"{approval.by}'s approval is only recorded; provider {provider} wants a signed one"
    keys = [signer.key for signer in rules.signers if signer.name == approval.by]
    if not keys:
        return f"the policy names no signer {approval.by}"
    if not any(_verified(approval, target=target, key=key) for key in keys):
        return f"the signature is not {approval.by}'s over this content and target"
    return None


@lru_cache(maxsize=1024)
def _verified(approval: Approval, *, target: str, key: str) -> bool:
    # Asked at least twice for each exec: before it begins, and when its diff is known.
    subject = Subject(over=approval.over, diff=approval.diff, target=target)
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        signature = base64.b64decode(approval.signature or "", validate=True)
        public.verify(signature, payload(by=approval.by, at=approval.at, subject=subject))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
