"""Service account tokens: whose they are, and that nobody else can make them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from infra.embedded.api.auth import authenticate
from infra.embedded.errors import Forbidden, Unauthorized
from infra.embedded.tokens import Account, account_of, mint

SECRET = "administrator"
POD = {
    "metadata": {"name": "p", "namespace": "shop", "uid": "u"},
    "spec": {"serviceAccountName": "clerk"},
}
TOKEN = mint(SECRET, POD, datetime(2026, 1, 1, tzinfo=UTC))


def lives(account: Account) -> bool:
    """Whether POD is the one that the token was made for."""
    return (account.pod, account.pod_uid) == ("p", "u")


def headers(token: str, **more: str) -> Headers:
    return Headers({"authorization": f"Bearer {token}", **more})


def test_a_token_names_the_account_of_its_pod() -> None:
    assert account_of(TOKEN, SECRET) == Account("shop", "clerk", "p", "u")
    assert TOKEN.count(".") == 2


def test_a_pod_without_an_account_has_the_default_one() -> None:
    token = mint(SECRET, {**POD, "spec": {}}, datetime(2026, 1, 1, tzinfo=UTC))
    assert account_of(token, SECRET) == Account("shop", "default", "p", "u")


def test_a_service_account_is_a_user_with_its_groups() -> None:
    user = authenticate(headers(TOKEN), SECRET, lives)
    assert (user.name, user.admin) == ("system:serviceaccount:shop:clerk", False)
    assert user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:shop",
        "system:authenticated",
    )


def test_a_service_account_may_not_act_for_others() -> None:
    with pytest.raises(Forbidden, match='cannot impersonate resource "users"'):
        authenticate(headers(TOKEN, **{"impersonate-user": "root"}), SECRET, lives)


@given(st.text(st.characters(codec="latin-1")))
def test_nothing_else_is_a_token(text: str) -> None:
    assert account_of(text, SECRET) is None


@pytest.mark.parametrize("place", [0, len(TOKEN) // 2, len(TOKEN) - 1])
def test_a_changed_token_is_refused(place: int) -> None:
    other = "A" if TOKEN[place] != "A" else "Z"
    with pytest.raises(Unauthorized):
        authenticate(headers(TOKEN[:place] + other + TOKEN[place + 1 :]), SECRET, lives)


def test_a_token_of_another_cluster_is_refused() -> None:
    with pytest.raises(Unauthorized):
        authenticate(headers(TOKEN), "another administrator", lives)


def test_a_token_ends_with_its_pod() -> None:
    again = {**POD, "metadata": {**POD["metadata"], "uid": "of another of that name"}}
    with pytest.raises(Unauthorized):
        authenticate(headers(mint(SECRET, again, datetime(2026, 1, 1, tzinfo=UTC))), SECRET, lives)
