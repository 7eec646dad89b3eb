"""The grammar of /ask comments, who may use it, and the contracts that come of it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.ask import (
    ApplyAsked,
    AskRefused,
    DocumentAsked,
    NotAsked,
    OverlayEntry,
    Question,
    choose,
    parse_comment,
)
from harness.contracts.asked import LOCAL, Author, contracts_for, standing
from harness.contracts.model import Contract, Origin, Target, digest
from harness.contracts.policy import AskRules

DEV = "infra/k8s/overlays/dev"


def entry(name: str) -> OverlayEntry:
    return OverlayEntry(
        path=f"{DEV}/{name}-ksvc.yaml",
        api="serving.knative.dev/v1",
        kind="Service",
        name=name,
        namespace="default",
        digest=digest(name.encode()),
    )


ENTRIES = (entry("hello"), entry("metrics-echo"))
RULES = AskRules(may_propose=("OWNER", "MEMBER"), approvers=("boss",))


@pytest.mark.parametrize(
    "comment",
    [
        "/ask S5 apply: dev hello-ksvc",
        "/ask\nS5 apply: dev hello-ksvc",
        "/ask\r\nS5 apply: dev hello-ksvc\r\n",
        "\n\n/ask\n\nS5 apply: dev hello-ksvc",
        "/ASK s5 APPLY: DEV hello-ksvc",
        "/ask s5 apply:dev hello-ksvc",
        "/ask\n- S5 apply: dev hello-ksvc",
        "/ask\n* [ ] S5 apply: dev hello-ksvc",
        "/ask\n1. S5 apply: dev hello-ksvc",
        "/ask\n   S5 apply: dev hello-ksvc   ",
        "/ask S5 apply: dev",
        "/ask\nS5 apply: dev\nThank you!",
        "> quoted\n\n/ask S5 apply: dev hello-ksvc",
        "<!-- S5 apply: dev metrics-echo -->\n/ask S5 apply: dev hello-ksvc",
        "/ask S5 apply: dev hello-ksvc\nS5 apply: dev hello-ksvc",
    ],
)
def test_an_apply_in_every_spelling(comment: str) -> None:
    assert parse_comment(comment) == ApplyAsked(("hello-ksvc",))


@pytest.mark.parametrize("indent", ["  ", "    ", "\t"])
def test_an_item_below_an_item_counts(indent: str) -> None:
    comment = f"/ask\n- S5 apply: dev hello\n{indent}- S5 apply: dev metrics-echo\n"
    assert parse_comment(comment) == ApplyAsked(("hello", "metrics-echo"))


@pytest.mark.parametrize(
    "code",
    ["\n    do not", "```\nx\n```\n    do not", "> quoted\n    do not", "\n    x\n    do not"],
)
def test_words_in_code_take_nothing_back(code: str) -> None:
    comment = f"/ask\nS5 apply: dev hello-ksvc\n{code}"
    assert parse_comment(comment) == ApplyAsked(("hello-ksvc",))


def test_items_below_words_are_code_when_they_are_deep() -> None:
    comment = "/ask\nwords\n\n    - S5 apply: dev hello\n      - S5 apply: dev hello"
    assert parse_comment(comment) == Question("words")


def test_several_manifests_in_a_list() -> None:
    comment = f"/ask\n- S5 apply: dev hello\n- S5 apply: dev {DEV}/metrics-echo-ksvc.yaml\n"
    assert parse_comment(comment) == ApplyAsked(("hello", f"{DEV}/metrics-echo-ksvc.yaml"))


@pytest.mark.parametrize(
    "line",
    [
        "> S5 apply: dev hello-ksvc",
        "> someone said\nS5 apply: dev hello-ksvc",
        "```\nS5 apply: dev hello-ksvc\n```",
        "~~~yaml\nS5 apply: dev hello-ksvc",
        "````\n```\nS5 apply: dev hello-ksvc\n```\n````",
        "    S5 apply: dev hello-ksvc",
        "\tS5 apply: dev hello-ksvc",
        "<!-- S5 apply: dev hello-ksvc -->",
        "<!--\nS5 apply: dev hello-ksvc\n-->",
        "<!-- never closed\nS5 apply: dev hello-ksvc",
        "<pre>\nS5 apply: dev hello-ksvc\n</pre>",
        "<del>\nS5 apply: dev hello-ksvc\n</del>",
        "<?x\nS5 apply: dev hello-ksvc\n?>",
        "<![CDATA[\nS5 apply: dev hello-ksvc\n]]>",
        "<!X\nS5 apply: dev hello-ksvc\n>",
        "<kbd>\nS5 apply: dev hello-ksvc\n</kbd>",
        "<template>\nS5 apply: dev hello-ksvc\n",
    ],
)
def test_what_is_quoted_or_code_does_not_count(line: str) -> None:
    assert parse_comment(f"/ask\n{line}") == Question("")


@pytest.mark.parametrize(
    "comment",
    [
        "/ask\nplease do not S5 apply: dev hello-ksvc",
        "/ask do not S5 apply: dev hello-ksvc",
        "/ask\n~~S5 apply: dev hello-ksvc~~",
        "/ask\n`S5 apply: dev hello-ksvc`",
        "/ask\n**S5 apply: dev hello-ksvc**",
        "/ask\nS5 apply: dev hello-ksvc please",
        "/ask\nS5 apply: dev hello-ksvc; reboot",
        "/ask\nS5 apply: prod hello-ksvc",
        "/ask\nS5 apply dev hello-ksvc",
        "/ask\nS5-apply: dev hello-ksvc",
        "/ask\nS5 apply: dev hello-ksvc\n\nplease do not run this yet",
        "/ask\nS5 apply: dev hello-ksvc\nDon't run it.",
        "/ask\nS5 apply: dev hello-ksvc\ncancel that",
        "/ask\nS5 apply: dev hello-ksvc\nThis is not ready.",
        "/ask\nS5 apply: dev hello-ksvc\nWe can’t have that now.",
        "/ask\nS5 apply: dev hello-ksvc\nWON'T do",
        "/ask\nS5 apply: dev hello-ksvc\nStop!",
        "/ask\nS5 apply: dev hello-ksvc\n実行しない",
        "/ask\nS5 apply: dev hello-ksvc\nキャンセルします",
        # a line in Markdown ends at a line feed alone
        "/ask\nplease \u2028S5 apply: dev hello-ksvc",
        "/ask\nplease \x0bS5 apply: dev hello-ksvc",
        "/ask\nplease \x85S5 apply: dev hello-ksvc",
        "/ask\nS5 apply: dev hello-ksvc\nまだ実行しないでください",
        # indented below words is no code: Markdown shows it as their end
        "/ask\nS5 apply: dev hello-ksvc\n    but please do not run it",
        "/ask\nS5 apply: dev hello-ksvc\n\tcancel that",
        "/ask\nS5 apply: dev hello-ksvc\n    well,\n        never",
        "/ask S5 apply: dev hello-ksvc\n     実行しない",
        "/ask\nS5 apply: dev hello-ksvc\nまだ適用しません",
        "/ask\nS5 apply: dev hello-ksvc\nちょっと待って",
        "/ask\nS5 apply: dev hello-ksvc\nまだ流さないで",
        "/ask\nS5 apply: dev hello-ksvc\n今回は見送ります",
        "/ask\nS5 apply: dev hello-ksvc\n来週に延期",
        "/ask\nS5 apply: dev hello-ksvc\n撤回します",
        "/ask\nS5 apply: dev hello-ksvc\nhold on",
        "/ask\nS5 apply: dev hello-ksvc\nThis is postponed.",
        # what only looks otherwise: half and full width, letters that are not seen
        "/ask\nS5 apply: dev hello-ksvc\nｷｬﾝｾﾙ",
        "/ask\nS5 apply: dev hello-ksvc\nｄｏ ｎｏｔ run it",
        "/ask\nS5 apply: dev hello-ksvc\ndo no\u200bt run it",
        "/ask Ｓ５ ａｐｐｌｙ： dev hello-ksvc",
        "/ask S5 app\u200dly: dev hello-ksvc",
        "/ask update_north_star",
        "/ask persist_report_mvp\n\n",
        "/ask " + "x" * 70_000,
    ],
)
def test_what_is_not_clear_is_refused(comment: str) -> None:
    with pytest.raises(AskRefused):
        parse_comment(comment)


@pytest.mark.parametrize(
    "words", ["よろしくお願いします", "すみません、お願いします", "急ぎです 🎉", "確認しました。"]
)
def test_polite_words_take_nothing_back(words: str) -> None:
    assert parse_comment(f"/ask\nS5 apply: dev hello-ksvc\n{words}") == ApplyAsked(("hello-ksvc",))


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("/ask\nS5 apply: dev hello-ksvc\n中止してください", "`中止`"),
        ("/ask S5 apply: dev hello-ksvc ください", "`S5 apply: dev hello-ksvc ください`"),
        # what is there in place of a letter that it looks like is pointed out
        ("/ask S5 apply： dev hello-ksvc", "`S5 apply? dev hello-ksvc`"),
        ("/ask S5 apply: dev `x` \u202ex", "`S5 apply: dev ?x? ?x`"),
    ],
)
def test_a_refusal_quotes_what_can_be_read(comment: str, told: str) -> None:
    with pytest.raises(AskRefused) as caught:
        parse_comment(comment)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "comment",
    ["", "hello", "please /ask", "/asking", "> /ask", "```\n/ask\n```", "<!-- /ask -->", "/ ask"],
)
def test_what_does_not_begin_with_ask_is_not_for_us(comment: str) -> None:
    with pytest.raises(NotAsked):
        parse_comment(comment)


def test_a_question() -> None:
    assert parse_comment("/ask what is up?\nReally.") == Question("what is up?\nReally.")


@pytest.mark.parametrize("kind", ["update_north_star", "persist_report_mvp"])
def test_a_document_is_the_rest_of_the_comment(kind: str) -> None:
    asked = parse_comment(f"/ask {kind}\n\n```yaml\ngoal: 1\n```\n")
    assert isinstance(asked, DocumentAsked)
    assert (asked.kind, asked.document) == (kind, "```yaml\ngoal: 1\n```")


@pytest.mark.parametrize(
    "name", ["hello", "hello-ksvc", "HELLO-KSVC", "hello-ksvc.yaml", f"{DEV}/hello-ksvc.yaml"]
)
def test_a_manifest_has_several_names(name: str) -> None:
    assert choose(name, ENTRIES) == ENTRIES[0]


@pytest.mark.parametrize(
    "name",
    [
        "nope",
        "hell",
        "../hello-ksvc.yaml",
        "/etc/passwd",
        "héllo",
        "a`b",
        "",
        "dev/hello-ksvc.yaml",
    ],
)
def test_another_name_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(AskRefused) as caught:
        choose(name, ENTRIES)
    # Nothing that was written may end the reply's code span early.
    assert str(caught.value).count("`") in (2, 6)


def test_a_name_that_means_two_is_refused() -> None:
    with pytest.raises(AskRefused, match="more than one"):
        choose("hello", (entry("hello"), entry("hello")))


@pytest.mark.parametrize(
    ("author", "wanted"),
    [
        (Author("boss", "OWNER"), "approved"),
        (Author("boss", "NONE"), "refused"),
        (Author("dev", "MEMBER"), "proposed"),
        (Author("dev", "CONTRIBUTOR"), "refused"),
        (Author("dev", "owner"), "refused"),
        (Author("boss", LOCAL), "proposed"),
    ],
)
def test_who_may_do_what(author: Author, wanted: str) -> None:
    assert standing(author, RULES) == wanted


def made(comment: str, author: Author) -> tuple[Contract, ...]:
    return contracts_for(
        parse_comment(comment),
        author=author,
        origin=Origin(author=author.login, association=author.association),
        rules=RULES,
        target=Target(contexts=("kind-vpm-mini",)),
        entries=ENTRIES,
        now=datetime(2026, 11, 22, 3, 4, 5, tzinfo=timezone(timedelta(hours=9))),
    )


def test_one_contract_for_each_manifest_with_an_id_in_utc() -> None:
    contracts = made(
        "/ask\n- S5 apply: dev hello\n- S5 apply: dev metrics-echo", Author("d", "OWNER")
    )

    assert [contract.id for contract in contracts] == [
        "apply_hello_dev_20261121T180405Z",
        "apply_metrics_echo_dev_20261121T180405Z",
    ]
    assert [contract.scope for contract in contracts] == [found.path for found in ENTRIES]
    assert [contract.approval for contract in contracts] == [None, None]
    assert all(
        contract.created.tzinfo is UTC or contract.created.utcoffset() for contract in contracts
    )


@pytest.mark.parametrize(
    "changes",
    [{"path": f"{DEV}/my file.yaml"}, {"kind": "My Kind"}, {"api": "V1"}, {"namespace": "A"}],
)
def test_what_no_contract_can_name_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(AskRefused, match="no contract can name"):
        contracts_for(
            ApplyAsked(("hello",)),
            author=Author("dev", "OWNER"),
            origin=Origin(),
            rules=RULES,
            target=Target(contexts=("kind-vpm-mini",)),
            entries=[replace(ENTRIES[0], **changes)],
            now=datetime(2026, 11, 22, tzinfo=UTC),
        )


def test_an_approver_s_comment_is_a_recorded_approval_of_the_content() -> None:
    (contract,) = made("/ask S5 apply: dev hello", Author("boss", "OWNER"))
    assert contract.approval is not None
    assert (contract.approval.by, contract.approval.level) == ("boss", "recorded")
    assert contract.approval.over == ENTRIES[0].digest


def test_a_stranger_gets_no_contract() -> None:
    with pytest.raises(AskRefused, match="@evil may not ask here"):
        made("/ask S5 apply: dev hello", Author("evil", "NONE"))


def test_a_document_becomes_a_contract_of_its_own_kind() -> None:
    (contract,) = made("/ask update_north_star\ngoal: 1", Author("dev", "MEMBER"))
    assert (contract.kind, contract.context_document) == ("update_north_star", "goal: 1")


LINES = st.sampled_from(
    ["/ask", "S5 apply: dev hello", "- S5 apply: dev hello", "> x", "```", "do not", "<!--", "-->",
     "", "    ", "S5 apply: dev ../x", "text", "/ask S5 apply: dev"]
)  # fmt: skip


@given(st.lists(LINES, max_size=8).map("\n".join) | st.text(max_size=60))
def test_any_comment_is_understood_or_refused(comment: str) -> None:
    with contextlib.suppress(AskRefused, NotAsked):
        asked = parse_comment(comment)
        assert isinstance(asked, Question | ApplyAsked | DocumentAsked)
        assert (
            "do not" not in comment.splitlines()
            or not isinstance(asked, ApplyAsked)
            or ("```" in comment or "<!--" in comment or "> x" in comment)
        )
