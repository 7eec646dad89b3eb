"""Reasons in the document's language.

A reason is made of findings of the diagnosis and of short texts with numbers in them, joined by
`: ` and `; `.  What is known is translated; what a server or a tool said stays as it was said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType

from harness.evidence.model import Language

FINDINGS: Mapping[str, str] = MappingProxyType(
    {
        # situations
        "READY=True, but requests do not get through": "READY=True だが要求が届かない",
        "there is no such KService, but its address answers": (
            "その KService は存在しないが、そのアドレスは応答する"
        ),
        "the newest revision is not ready; an older one answers": (
            "最新のリビジョンは READY でなく、古いリビジョンが応答している"
        ),
        "the control plane has not observed the current generation; what answers is older": (
            "コントロールプレーンは現在の世代をまだ観測しておらず、応答しているのは古いもの"
        ),
        "not READY, but requests succeed": "READY ではないが要求は成功する",
        "no vantage could send its probes; that says nothing about the service": (
            "どの観測地点もプローブを送れなかった。サービスについては何も言えない"
        ),
        "a vantage could not send its probes; that says nothing about the service": (
            "プローブを送れない観測地点があった。サービスについては何も言えない"
        ),
        "there is no such KService, and nothing answers for it": (
            "その KService は存在せず、何も応答しない"
        ),
        "no revision of the service was ever ready, and no vantage reaches it": (
            "READY になったリビジョンは一つもなく、どの観測地点からも届かない"
        ),
        "not READY, and no vantage reaches it": "READY ではなく、どの観測地点からも届かない",
        "every request to one revision fails, every request to another succeeds": (
            "あるリビジョンへの要求はすべて失敗し、別のリビジョンへの要求はすべて成功する"
        ),
        "the first requests failed, all later ones succeeded: READY came before the path was up": (
            "最初の要求は失敗し、以後はすべて成功した。経路が通る前に READY になった"
        ),
        "some requests fail and some succeed": "失敗する要求と成功する要求がある",
        "requests do not get through": "要求が届かない",
        "too few valid requests were made to say anything": "判断するには有効な要求が少なすぎる",
        "every request succeeded, but the prober was too late to judge latency": (
            "要求はすべて成功したが、プローバーが遅れたため遅延は判定できない"
        ),
        "every request succeeded; only the first was slow, as after a start from zero": (
            "要求はすべて成功した。最初だけが遅く、ゼロからの起動と見られる"
        ),
        "every vantage reaches it": "すべての観測地点から届く",
        # causes
        "the name does not resolve there": "そこでは名前が解決できない",
        "the resolver does not answer there": "そこのリゾルバーが応答しない",
        "the resolver answers with an error there": "そこのリゾルバーがエラーを返す",
        "the gateway works at its own address, but nothing listens where the public URL points": (
            "ゲートウェイは自身のアドレスでは動くが、公開 URL の指す先では何も待ち受けていない"
        ),
        "works inside the cluster, but the gateway is not exposed on the host": (
            "クラスター内では動くが、ゲートウェイがホストに公開されていない"
        ),
        "works from outside, but nothing listens at the address used inside the cluster": (
            "外からは動くが、クラスター内で使うアドレスでは何も待ち受けていない"
        ),
        "nothing listens at the address": "そのアドレスでは何も待ち受けていない",
        "connection attempts get no answer: dropped by a filter, or a full backlog": (
            "接続の試みに応答がない。フィルターによる破棄か、待ち行列が満杯"
        ),
        "there is no route to the address": "そのアドレスへの経路がない",
        "the certificate's dates fail on a machine whose clock is wrong": (
            "時計の狂ったマシンで証明書の期日検査に失敗する"
        ),
        "the certificate is signed by nobody who is trusted there": (
            "証明書の署名者がそこでは信頼されていない"
        ),
        "the certificate has expired": "証明書の期限が切れている",
        "the certificate is not valid yet": "証明書はまだ有効期間に入っていない",
        "the certificate is for another name": "証明書は別の名前のもの",
        "the handshake gets no answer": "ハンドシェイクに応答がない",
        "the handshake fails: not TLS on that port, or no common version": (
            "ハンドシェイクに失敗する。そのポートは TLS でないか、共通の版がない"
        ),
        "the connection breaks while the request is sent": "要求の送信中に接続が切れる",
        "connections are accepted outside the cluster but never answered; inside they are": (
            "クラスター外では接続は受け付けられるが応答がなく、クラスター内では応答がある"
        ),
        "connections are accepted but no answer comes: the app or the gateway hangs": (
            "接続は受け付けられるが応答がない。アプリかゲートウェイが止まっている"
        ),
        "the connection is reset before an answer": "応答の前に接続がリセットされる",
        "the connection is closed without an answer": "応答なしに接続が閉じられる",
        "the answer begins but does not end": "応答が始まるが終わらない",
        "what answers does not speak HTTP: another server, or TLS on a plain port": (
            "応答しているのは HTTP ではない。別のサーバーか、平文ポート上の TLS"
        ),
        "the answer exceeds the probe's limit": "応答がプローブの上限を超える",
        "the gateway answers 404 itself: it has no route for this host": (
            "ゲートウェイ自身が 404 を返す。このホストへのルートがない"
        ),
        "the gateway answers 503 itself: it has no healthy backend for this host": (
            "ゲートウェイ自身が 503 を返す。このホストの正常なバックエンドがない"
        ),
        "the gateway gave up waiting for the backend (504 of its own)": (
            "ゲートウェイがバックエンドを待ちきれなかった (自身の 504)"
        ),
        "the gateway itself answers with an unexpected status": (
            "ゲートウェイ自身が想定外のステータスを返す"
        ),
        "the app exceeds its timeoutSeconds (504 from behind the gateway)": (
            "アプリが timeoutSeconds を超える (ゲートウェイの奥からの 504)"
        ),
        "the app drops the connection (502 from behind the gateway)": (
            "アプリが接続を切る (ゲートウェイの奥からの 502)"
        ),
        "the app itself answers with an unexpected status": "アプリ自身が想定外のステータスを返す",
        "something that is not the gateway answers at that address": (
            "そのアドレスではゲートウェイでないものが応答する"
        ),
        "the gateway hands the request to something with another body": (
            "ゲートウェイは要求を、別の本文を返すものに渡している"
        ),
        "requests fail, and the summary does not say how": (
            "要求は失敗するが、要約からは様子が分からない"
        ),
        # verdicts of steps, loads and runs
        "the step did not run": "この手順は実行されなかった",
        "no step ran": "手順は一つも実行されなかった",
        "the cluster was not opened": "クラスターは開かれなかった",
        "the run ended in the middle of this step": "この手順の途中で実行が終わった",
        "the run ended before this step was judged": "この手順の判定前に実行が終わった",
        "the run did not come to its own end": "実行は最後まで進まなかった",
        "the step reported nothing": "この手順は何も報告しなかった",
        "no pods were counted": "ポッドが数えられなかった",
        "no request was made": "要求は送られなかった",
        "no evidence was asked for": "証拠は求められなかった",
        "every attempt ended in a prober error": "すべての試みがプローバー側のエラーに終わった",
        "no number of samples proves it": "何件あっても証明できない",
        "not earned by this run: the generation is the one that was there before": (
            "この実行の成果ではない (世代は以前からのもの)"
        ),
        "READY (no control plane knows a plain URL)": (
            "READY (単なる URL を知るコントロールプレーンはない)"
        ),
    }
)

# English with {fields} -> Japanese with the same fields; the first that matches a text counts.
# A field is one word, with `_` at its end a text without `; `; in capitals it is a reason itself.
TEMPLATES: tuple[tuple[str, str], ...] = (
    ("all {count} steps passed", "全 {count} 手順が合格"),
    ("all {count} claims hold", "全 {count} 主張が成立"),
    ("{good}/{valid} ok from {vantage}", "{vantage} から {good}/{valid} 成功"),
    ("{outcome} {count}/{valid} from {vantage} ({DETAIL})",
     "{vantage} から {outcome} {count}/{valid} ({DETAIL})"),
    ("{outcome} {count}/{valid} from {vantage}", "{vantage} から {outcome} {count}/{valid}"),
    ("{count} succeeded", "成功 {count} 件"),
    ("{ratio_} (95 % interval {low} to {high}) by address, not by the public name",
     "{ratio_} (95 % 信頼区間 {low} – {high})、公開名でなくアドレス指定"),
    ("{ratio_} (95 % interval {low} to {high}) within {limit} s, {wanted} wanted: {STANDING}",
     "{limit} 秒以内が {ratio_} (95 % 信頼区間 {low} – {high})、目標 {wanted}: {STANDING}"),
    ("{ratio_} (95 % interval {low} to {high}), {wanted} wanted: {STANDING}",
     "{ratio_} (95 % 信頼区間 {low} – {high})、目標 {wanted}: {STANDING}"),
    ("{ratio_} (95 % interval {low} to {high})", "{ratio_} (95 % 信頼区間 {low} – {high})"),
    ("no data within {limit} s, {wanted} wanted: {STANDING}",
     "データなし ({limit} 秒以内、目標 {wanted}): {STANDING}"),
    ("no data, {wanted} wanted: {STANDING}", "データなし (目標 {wanted}): {STANDING}"),
    ("met", "達成"),
    ("missed", "未達"),
    ("unproven", "未証明"),
    ("no data", "データなし"),
    ("{count} good samples would prove it", "証明には成功 {count} 件が要る"),
    ("no data: {WHY}, at least {count} wanted", "データなし: {WHY}、最低 {count} 件必要"),
    ("no data: {limit} s was not measured", "データなし: {limit} 秒は測定されていない"),
    ("{count} valid attempts", "有効な試み {count} 件"),
    ("skipped: {why_}", "省略: {why_}"),
    ("the prober was behind schedule: p99 of start lateness {late} ms",
     "プローバーが予定より遅れた: 開始遅れ p99 {late} ms"),
    ("READY=True at generation {generation}, revision {revision}, for {age} s",
     "READY=True (世代 {generation}、リビジョン {revision}、{age} 秒前から)"),
    ("READY=True at generation {generation}, revision {revision}",
     "READY=True (世代 {generation}、リビジョン {revision})"),
    ("READY=True at generation {generation}", "READY=True (世代 {generation})"),
    ("READY=True, but {DOUBT}", "READY=True だが {DOUBT}"),
    ("not READY after waiting {seconds} s: {WHY}", "{seconds} 秒待っても READY でない: {WHY}"),
    ("not READY: {WHY}", "READY でない: {WHY}"),
    ("revision {name}: every answer failed", "リビジョン {name}: すべての応答が失敗"),
    ("the clock of {vantage} is off by {skew} s", "{vantage} の時計が {skew} 秒ずれている"),
    ("{provider} cluster {name}, Knative {version}",
     "{provider} クラスター {name}、Knative {version}"),
    ("done ({what_})", "完了 ({what_})"),
    ("published with the run's evidence as {files_}", "実行の証拠とともに公開: {files_}"),
    ("succeeded: {WHY}", "成功: {WHY}"),
    ("READY at the new generation: {what_}", "新しい世代で READY: {what_}"),
    ("the contract ended in {state_} instead of {expected_}: {WHY}",
     "契約は {expected_} でなく {state_} に終わった: {WHY}"),
    ("the run could not be closed: {why_}", "実行を閉じられなかった: {why_}"),
    ("{count} requests, at least {wanted} wanted", "要求 {count} 件、最低 {wanted} 件必要"),
    ("{good}/{count} good, {share} wanted", "成功 {good}/{count}、目標 {share}"),
    ("p95 {seconds} s, at most {limit} s wanted", "p95 {seconds} 秒、上限 {limit} 秒"),
    ("{good}/{count} good in {seconds} s ({rate}/s)",
     "{seconds} 秒間に {good}/{count} 成功 (毎秒 {rate})"),
    ("at most {most} pods ready at one time, {wanted} wanted",
     "同時に READY のポッドは最大 {most}、目標 {wanted}"),
    ("answered well {seconds} s after a request from zero pods ({phases_})",
     "ポッド 0 個からの要求の {seconds} 秒後に正しく応答 ({phases_})"),
    ("no good answer {seconds} s after a request from zero pods ({phases_})",
     "ポッド 0 個からの要求の {seconds} 秒後も正しい応答なし ({phases_})"),
    ("{vantage}: resolve (went on by the address that the name spells)",
     "{vantage}: resolve (名前が表すアドレスで続行した)"),
    ("{vantage}: latency (the prober was behind schedule)",
     "{vantage}: 遅延 (プローバーが予定より遅れた)"),
    ("{vantage}: could not run: {WHY}", "{vantage}: 実行できなかった: {WHY}"),
    ("{claim} from {vantage}: {REASON}", "{vantage} からの {claim}: {REASON}"),
    ("sli {claim} from {vantage}: {REASON}", "{vantage} からの sli {claim}: {REASON}"),
)  # fmt: skip

Tell = Callable[[str], str]

# What is longer was not written by the judge alone, and searching it would take its time.
_LONGEST = 2_000


def tell(language: Language) -> Tell:
    """The reasons of a language: English in, as much as is known of it in that language out."""
    return str if language == "en" else _in_japanese


@lru_cache(maxsize=4096)
def _in_japanese(reason: str) -> str:
    if len(reason) > _LONGEST:
        return reason
    return _known(reason) or _headed(reason) or reason


def _known(reason: str) -> str | None:
    return FINDINGS.get(reason) or _around_finding(reason) or _joined(reason) or _filled(reason)


def _around_finding(reason: str) -> str | None:
    """A finding with what stands before and after it; a longer finding counts before a shorter."""
    found = _findings().search(reason)
    if found is None:
        return None
    before, after = reason[: found.start("finding")], reason[found.end("finding") :]
    mark, rest = after[:2], after[2:]
    head = before[: -len(found["mark"])] if found["mark"] else before
    return "".join(
        (
            _in_japanese(head) if head else "",
            found["mark"],
            FINDINGS[found["finding"]],
            mark,
            _in_japanese(rest) if rest else "",
        )
    )


@cache
def _findings() -> re.Pattern[str]:
    longest_first = sorted(FINDINGS, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    return re.compile(f"(?P<mark>^|: |; )(?P<finding>{either})(?=: |; |$)")


def _joined(reason: str) -> str | None:
    """Several reasons; a `; ` within parentheses is part of what somebody said."""
    depth, start, parts = 0, 0, []
    for at, letter in enumerate(reason):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and reason.startswith("; ", at):
            parts.append(reason[start:at])
            start = at + 2
    if not parts:
        return None
    return "; ".join(_in_japanese(part) for part in (*parts, reason[start:]))


def _filled(reason: str) -> str | None:
    for pattern, japanese in _patterns():
        found = pattern.fullmatch(reason)
        if found:
            fields = {
                name: _in_japanese(value) if name.isupper() else value
                for name, value in found.groupdict().items()
            }
            return japanese.format(**fields)
    return None


def _headed(reason: str) -> str | None:
    """A reason after a name: a step, a claim, an object."""
    for colon in re.finditer(": ", reason):
        tail = _known(reason[colon.end() :])
        if tail is not None:
            return reason[: colon.end()] + tail
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(english), japanese) for english, japanese in TEMPLATES)


def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", template)
    pieces[::2] = map(re.escape, pieces[::2])
    pieces[1::2] = [f"(?P<{field}>{_width(field)})" for field in pieces[1::2]]
    return re.compile("".join(pieces), re.DOTALL)


def _width(field: str) -> str:
    if field.isupper():
        return ".+"
    return r"[^;]+?" if field.endswith("_") else r"[^\s;]+"
