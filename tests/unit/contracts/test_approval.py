"""Approvals are verified, not believed."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from harness.contracts.approval import Subject, sign, unmet
from harness.contracts.difftext import diff_digest
from harness.contracts.model import Approval, digest
from harness.contracts.policy import ApprovalRules, Signer
from harness.contracts.refusal import Reason
from harness.core.errors import UsageError
from tests.support.runner import PEM, PUBLIC

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SUBJECT = Subject(over=digest(b"manifest"), target="kind-vpm-mini/default")
RULES = ApprovalRules(signers=(Signer(name="tester", key=PUBLIC),), recorded_on=("embedded",))
SIGNED = sign(by="tester", at=AT, subject=SUBJECT, pem=PEM)
RECORDED = Approval(by="anybody", at=AT, over=SUBJECT.over)


def problem(
    *approvals: Approval, subject: Subject = SUBJECT, provider: str = "kind"
) -> Reason | None:
    refusal = unmet(approvals, subject=subject, provider=provider, rules=RULES)
    return refusal.reason if refusal else None


def test_a_signature_counts_everywhere() -> None:
    assert problem(SIGNED) is None
    assert problem(SIGNED, provider="embedded") is None


def test_a_name_counts_only_where_the_policy_says_so() -> None:
    assert problem(RECORDED, provider="embedded") is None
    assert problem(RECORDED, provider="kind") is Reason.APPROVAL_INVALID


def test_nobody_is_not_enough() -> None:
    assert problem() is Reason.APPROVAL_MISSING


def test_one_good_approval_among_bad_ones_is_enough() -> None:
    assert problem(RECORDED, SIGNED) is None


@pytest.mark.parametrize(
    "forged",
    [
        SIGNED.model_copy(update={"by": "boss"}),
        SIGNED.model_copy(update={"at": datetime(2027, 1, 1, tzinfo=UTC)}),
        SIGNED.model_copy(update={"over": digest(b"other")}),
        SIGNED.model_copy(update={"diff": digest(b"other")}),
        SIGNED.model_copy(update={"signature": None}),
        SIGNED.model_copy(update={"signature": "AAAA"}),
        SIGNED.model_copy(update={"signature": "!"}),
    ],
)
def test_whatever_is_changed_breaks_the_signature(forged: Approval) -> None:
    assert problem(forged) is Reason.APPROVAL_INVALID


def test_a_signer_may_have_an_old_key_and_a_new_one() -> None:
    other = base64.b64encode(bytes(32)).decode()
    for keys in ((other, PUBLIC), (PUBLIC, other)):
        signers = tuple(Signer(name="tester", key=key) for key in keys)
        rules = ApprovalRules(signers=signers)
        assert unmet([SIGNED], subject=SUBJECT, provider="kind", rules=rules) is None


def test_another_target_is_not_covered() -> None:
    subject = replace(SUBJECT, target="kind-other/default")
    assert problem(SIGNED, subject=subject) is Reason.APPROVAL_INVALID


def test_a_drifted_diff_needs_a_new_approval() -> None:
    seen = replace(SUBJECT, diff=digest(b"diff"))
    narrow = sign(by="tester", at=AT, subject=seen, pem=PEM)

    assert problem(narrow, subject=seen) is None
    assert problem(narrow, subject=SUBJECT) is None  # the diff is not known yet
    drifted = replace(SUBJECT, diff=digest(b"another"))
    assert problem(narrow, subject=drifted) is Reason.DIFF_DRIFTED


@pytest.mark.parametrize("pem", [b"", b"no key"])
def test_a_key_must_be_a_key(pem: bytes) -> None:
    with pytest.raises(UsageError, match="not a private key"):
        sign(by="tester", at=AT, subject=SUBJECT, pem=pem)


def test_a_key_must_be_ed25519() -> None:
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(UsageError, match="not an ed25519 key"):
        sign(by="tester", at=AT, subject=SUBJECT, pem=pem)


DIFF = """diff -u -N /tmp/LIVE-1/x /tmp/MERGED-2/x
--- /tmp/LIVE-1/x\t2026-11-22 08:17:09
+++ /tmp/MERGED-2/x\t2026-11-22 08:17:09
@@ -0,0 +1,4 @@
+  creationTimestamp: "2026-11-22T08:17:09Z"
+  name: hello
+  uid: 1234
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("LIVE-1", "LIVE-77", True),
        ("08:17:09", "09:00:00", True),
        ("uid: 1234", "uid: 5678", True),
        ("-0,0 +1,4", "-5,0 +6,4", True),
        ("name: hello", "name: other", False),
        ("+  name", "-  name", False),
    ],
)
def test_a_diff_is_the_same_when_its_changes_are(old: str, new: str, same: bool) -> None:
    assert (diff_digest(DIFF.replace(old, new)) == diff_digest(DIFF)) is same
