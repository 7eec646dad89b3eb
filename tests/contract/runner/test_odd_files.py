"""Files in the inbox with names, types and contents that nobody expects."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.observation import ContractObserved
from harness.runner.drain import drain
from tests.support.runner import Desk

NAMES = [
    b"new\nline.json",
    b"red\x1b[31m.json",
    b"\xff\xfe.json",
    b"-rf.json",
    b"a b;reboot.json",
    b"x" * 250 + b".json",
    "right\u202eto-left.json".encode(),
    b'"quoted\\".json',
]


def drained(desk: Desk) -> list[ContractObserved]:
    """What became of everything in the inbox and of an honest contract behind it."""
    desk.in_inbox(desk.contract("zz_honest"))
    done = drain(desk.runner(), tell=lambda _news: None)
    assert done.troubles == ()
    assert [path.name for path in desk.settings.inbox.glob("*.json") if not path.is_dir()] == []
    assert desk.filed("_running") == []
    *odd, honest = sorted(done.observed, key=lambda seen: seen.contract == "zz_honest.json")
    assert honest.state in ("succeeded", "noop")
    return odd


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_filed_and_recorded_in_print(desk: Desk, name: bytes) -> None:
    content = desk.contract("odd").read_bytes()
    (desk.settings.inbox / os.fsdecode(name)).write_bytes(content)

    (odd,) = drained(desk)

    assert odd.state in ("succeeded", "noop")
    assert odd.contract.isprintable()
    status = json.loads((Path(odd.folder) / "status.json").read_bytes())
    assert status["contract_file"] == odd.contract
    assert Path(odd.folder).parent == desk.settings.reports


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(path.parent, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


KINDS: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "loop": lambda path: path.symlink_to(path.name),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "socket": _socket,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_unopened(desk: Desk, kind: str) -> None:
    KINDS[kind](desk.settings.inbox / f"{kind}.json")
    (odd,) = drained(desk)
    assert odd.state == "refused"
    assert odd.reason.startswith("not_a_regular_file: ")


@pytest.mark.parametrize("name", ["..json", ".hidden.json", "UPPER.JSON", "contract.json~"])
def test_other_files_are_no_contracts(desk: Desk, name: str) -> None:
    (desk.settings.inbox / name).write_bytes(desk.contract("odd").read_bytes())
    drain(desk.runner(), tell=lambda _news: None)
    assert (desk.settings.inbox / name).is_file()


def test_a_folder_with_the_name_of_a_contract_is_left_alone(desk: Desk) -> None:
    (desk.settings.inbox / "folder.json").mkdir()
    assert drained(desk) == []
    assert (desk.settings.inbox / "folder.json").is_dir()


def test_a_hard_link_is_one_more_name_of_the_same_work(desk: Desk) -> None:
    first = desk.in_inbox(desk.contract("first"))
    (desk.settings.inbox / "second.json").hardlink_to(first)
    assert sorted(seen.state for seen in drained(desk)) == ["refused", "succeeded"]


def test_a_contract_of_100_megabytes_is_not_read(desk: Desk) -> None:
    with (desk.settings.inbox / "huge.json").open("wb") as stream:
        stream.write(b'{"kind": "ask", "note": "')
        stream.truncate(100_000_000)
    (odd,) = drained(desk)
    assert odd.reason == "too_large: more than 65536 bytes"


CONTENTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "bom": (lambda good: b"\xef\xbb\xbf" + good, "not_json"),
    "utf-16": (lambda good: good.decode().encode("utf-16"), "not_json"),
    "utf-32": (lambda good: good.decode().encode("utf-32"), "not_json"),
    "empty": (lambda _: b"", "not_json"),
    "deep": (lambda _: b"[" * 30_000 + b"]" * 30_000, "not_json"),
    "deep object": (lambda _: b'{"a":' * 9000 + b"1" + b"}" * 9000, "not_json"),
    "10^5 deep": (lambda _: b"[" * 100_000, "too_large"),
    "twice at depth": (lambda good: _swap(good, '"hello"', '"hello", "name": "evil"'), "not_json"),
    "twice, escaped": (
        lambda good: _swap(good, '"hello"', '"hello", "n\\u0061me": "evil"'),
        "not_json",
    ),
    "nan": (lambda good: _swap(good, "20.0", "NaN"), "not_json"),
    "infinity": (lambda good: _swap(good, "20.0", "1e999"), "not_json"),
    "minus infinity": (lambda good: _swap(good, "20.0", "-Infinity"), "not_json"),
    "endless digits": (lambda good: _swap(good, "20.0", "9" * 5000), "not_json"),
    "surrogate": (lambda good: _swap(good, "hello", "\\ud800"), "not_json"),
    "nul": (lambda good: _swap(good, "hello", "hel\\u0000lo"), "invalid"),
    "raw nul": (lambda good: _swap(good, "hello", "hel\0lo"), "not_json"),
    "trailing": (lambda good: good + good, "not_json"),
    "comment": (lambda good: b"// x\n" + good, "not_json"),
    "before time": (lambda good: _when(good, "0001-01-01T00:00:00+14:00"), "invalid"),
    "after time": (lambda good: _when(good, "9999-12-31T23:59:59-14:00"), "invalid"),
    "no zone": (lambda good: _when(good, "2026-11-22T10:00:00"), "invalid"),
    "a list as kind": (lambda _: b'{"kind": ["ask"]}', "unknown_form"),
    "an object as kind": (lambda _: b'{"kind": {}, "task": []}', "unknown_form"),
    "actions null": (lambda _: b'{"kind": "ask", "actions": null}', "invalid"),
    "actions nested": (lambda _: b'{"kind": "ask", "actions": [[["x"]]]}', "invalid"),
    "approved text": (
        lambda _: b'{"kind": "apply", "approved": "true", "actions": []}',
        "approval_missing",
    ),
}


def _swap(good: bytes, old: str, new: str) -> bytes:
    assert old.encode() in good
    return good.replace(old.encode(), new.encode(), 1)


def _when(good: bytes, time: str) -> bytes:
    return json.dumps({**json.loads(good), "created": time}).encode()


@pytest.mark.parametrize("case", CONTENTS)
def test_odd_contents_are_refused_with_a_named_reason(desk: Desk, case: str) -> None:
    change, reason = CONTENTS[case]
    content = change(desk.contract("odd", signed=False).read_bytes())
    (desk.settings.inbox / "odd.json").write_bytes(content)
    (odd,) = drained(desk)
    assert (odd.state, odd.reason.partition(":")[0]) == ("refused", reason)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_approval_at_an_impossible_time_is_refused(desk: Desk, time: str) -> None:
    document = json.loads(desk.contract("odd").read_bytes())
    document["approval"]["at"] = time
    (desk.settings.inbox / "odd.json").write_text(json.dumps(document))
    (odd,) = drained(desk)
    assert odd.reason.startswith("invalid: approval.at")
