"""A signature finds what hashes alone cannot: everything rewritten consistently."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.evidence.checks.finding import Finding
from harness.evidence.sign import SIGNATURE, sign_run
from harness.evidence.store import EvidenceStore, RunFolder
from harness.evidence.verify import verify
from tests.support.golden import COPIES, Golden
from tests.support.keys import make_keys
from tests.support.stories import SteppedClock, write_run


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return make_keys(tmp_path / "keys", "ci")


@pytest.fixture
def signed(golden: Golden, keys: tuple[Path, Path]) -> Golden:
    for folder in (golden.first, golden.run):
        sign_run(RunFolder(folder), keys[0])
    return golden


def findings(golden: Golden, *public: Path) -> tuple[Finding, ...]:
    return verify([golden.reports], options=replace(golden.options(), keys=public))


def test_a_signed_set_verifies_with_and_without_the_key(
    signed: Golden, keys: tuple[Path, Path]
) -> None:
    assert findings(signed) == ()
    assert findings(signed, keys[1]) == ()


def forge(golden: Golden) -> None:
    """Make the incident's run a good one: artefacts, journal, documents, copies and ledger."""
    clock = SteppedClock()
    store = EvidenceStore(golden.reports, clock)
    signatures = {}
    for folder in (golden.first, golden.run):
        if (folder / SIGNATURE).exists():
            signatures[folder] = (folder / SIGNATURE).read_bytes()
        shutil.rmtree(folder)
    for story in (replace(golden.broken, devbox=20), golden.mended):
        clock.at = story.at
        clock.sleep(20)
        folder = write_run(store, story, COPIES).path
        if folder in signatures:
            (folder / SIGNATURE).write_bytes(signatures[folder])


def test_a_consistent_forgery_passes_without_a_key_and_fails_with_it(
    signed: Golden, keys: tuple[Path, Path]
) -> None:
    forge(signed)
    assert findings(signed) == ()
    found = findings(signed, keys[1])
    assert {finding.rule for finding in found} == {"signature"}
    assert len(found) == 2


def test_an_unsigned_run_fails_with_a_key(golden: Golden, keys: tuple[Path, Path]) -> None:
    files = {finding.file.rpartition("/")[2] for finding in findings(golden, keys[1])}
    assert files == {SIGNATURE}


def test_another_key_does_not_count(signed: Golden, tmp_path: Path) -> None:
    _, public = make_keys(tmp_path / "keys", "other")
    assert {finding.found for finding in findings(signed, public)} == {"no signature by this key"}


def test_one_of_several_keys_is_enough(
    signed: Golden, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    _, public = make_keys(tmp_path / "keys", "other")
    assert findings(signed, public, keys[1]) == ()


def swapped(golden: Golden) -> None:
    """The signature of the other run."""
    shutil.copy(golden.first / SIGNATURE, golden.run / SIGNATURE)


def edited(field: str, value: object) -> Callable[[Golden], None]:
    def edit(golden: Golden) -> None:
        envelope = json.loads((golden.run / SIGNATURE).read_bytes())
        envelope[field] = value
        (golden.run / SIGNATURE).write_text(json.dumps(envelope))

    return edit


@pytest.mark.parametrize(
    "spoil",
    [
        swapped,
        edited("payload", "e30="),
        edited("payload", 7),
        edited("payloadType", "text/plain"),
        edited("signatures", []),
        edited("signatures", [{"keyid": "x", "sig": "not base64!"}]),
        edited("signatures", {}),
    ],
)
def test_a_spoilt_envelope_is_a_finding(
    signed: Golden, keys: tuple[Path, Path], spoil: Callable[[Golden], None]
) -> None:
    spoil(signed)
    [finding] = findings(signed, keys[1])
    assert finding.rule == "signature"


def test_a_key_that_others_may_read_is_refused(golden: Golden, keys: tuple[Path, Path]) -> None:
    keys[0].chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        sign_run(RunFolder(golden.run), keys[0])


def test_a_public_key_cannot_sign(golden: Golden, keys: tuple[Path, Path]) -> None:
    keys[1].chmod(0o600)
    with pytest.raises(UsageError, match="openssl genpkey"):
        sign_run(RunFolder(golden.run), keys[1])


def test_a_run_is_signed_once(signed: Golden, keys: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="already"):
        sign_run(RunFolder(signed.run), keys[0])


def test_a_file_that_is_no_key_is_bad_usage(golden: Golden) -> None:
    with pytest.raises(UsageError, match="no public key"):
        findings(golden, golden.run / "journal.jsonl")
