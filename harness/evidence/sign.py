"""Signatures: an in-toto Statement about a run, in a DSSE envelope, with an ed25519 key file.

The statement names the hash of the run's ledger entry, which names the hash of every file of
the run, so one signature covers the whole folder.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError, VerificationError
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from harness.core.errors import UsageError
from harness.evidence.canonical import NotJson, parse_object, sha256
from harness.evidence.ledger import FILE_NAME, LedgerEntry, decode_entry
from harness.evidence.model import Malformed
from harness.evidence.store import RunFolder

SIGNATURE = "ledger.dsse.json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://vpm-harness.dev/attestations/run/v1"
_MAKE_KEY = "openssl genpkey -algorithm ed25519 -out key.pem"
_MAKE_PUBLIC = "openssl pkey -in key.pem -pubout -out key.pub"


def sign_run(folder: RunFolder, key_file: Path) -> Path:
    """Sign a finished run with the private key in a PEM file; returns the signature's path.

    Errors:
        UsageError: no readable ed25519 key, a key that others may read, or a run without a
            ledger entry; also when the run is signed already.
    """
    signer = CryptoSigner(_private_key(key_file))
    content = _entry_bytes(folder)
    envelope = Envelope(_statement(content), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    signed = json.dumps(envelope.to_dict(), indent=1, sort_keys=True) + "\n"
    folder.add(SIGNATURE, signed.encode())
    return folder.path / SIGNATURE


def public_key(key_file: Path) -> Key:
    """The ed25519 public key in a PEM file.

    Errors:
        UsageError: the file holds none.
    """
    try:
        key = load_pem_public_key(key_file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{key_file}: no public key: {error}", mend=_MAKE_PUBLIC) from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{key_file}: not an ed25519 key", mend=_MAKE_PUBLIC)
    return SSlibKey.from_crypto(key)


def signature_problem(entry: bytes, envelope: bytes, keys: Sequence[Key]) -> str | None:
    """Why a signature does not cover a ledger entry; None when it does."""
    try:
        signed = Envelope.from_dict(parse_object(envelope))
        signed.verify(list(keys), 1)
    except (NotJson, KeyError, TypeError, ValueError, AttributeError, FormatError) as error:
        return f"not a DSSE envelope: {type(error).__name__}"
    except VerificationError:
        return "no signature by this key"
    except binascii.Error:
        return "not base64"
    if signed.payload_type != PAYLOAD_TYPE:
        return f"a signature over {signed.payload_type}"
    if signed.payload != _statement(entry):
        return "a signature over another ledger entry"
    return None


def _statement(content: bytes) -> bytes:
    """The in-toto Statement about a ledger entry; the same entry gives the same bytes."""
    entry = decode_entry(content)
    subjects = [_subject(FILE_NAME, sha256(content)), *_documents(entry)]
    statement = {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "runId": entry.run_id,
            "clusterUid": entry.cluster_uid,
            "writtenAt": entry.written_at,
            "verdicts": {document.path: document.verdict for document in entry.documents},
        },
    }
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _documents(entry: LedgerEntry) -> list[dict[str, object]]:
    return [_subject(document.path, document.sha256) for document in entry.documents]


def _subject(name: str, digest: str) -> dict[str, object]:
    return {"name": name, "digest": {"sha256": digest}}


def _entry_bytes(folder: RunFolder) -> bytes:
    try:
        content = (folder.path / FILE_NAME).read_bytes()
        decode_entry(content)
    except (OSError, Malformed) as error:
        raise UsageError(f"{folder.path}: no ledger entry to sign: {error}") from error
    return content


def _private_key(key_file: Path) -> Ed25519PrivateKey:
    try:
        if key_file.stat().st_mode & 0o077:
            raise UsageError(f"{key_file}: others may read this key", mend=f"chmod 600 {key_file}")
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{key_file}: no private key: {error}", mend=_MAKE_KEY) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{key_file}: not an ed25519 key", mend=_MAKE_KEY)
    return key
