"""`RefreshTokens`: what Portico made, in one spelling, and nothing else."""

import pytest

from adapters.security.refresh_tokens import HmacRefreshTokens
from adapters.security.secrets import SecretKey
from domain.auth.errors import InvalidRefreshToken
from domain.ids import SessionId
from tests.builders import an_id

TOKENS = HmacRefreshTokens(SecretKey(b"one installation"))
SESSION = SessionId(an_id())
TOKEN = TOKENS.issue(SESSION, 12)


def is_refused(token: str) -> bool:
    try:
        TOKENS.read(token)
    except InvalidRefreshToken:
        return True
    return False


@pytest.mark.parametrize("counter", [1, 9, 10, 10**18 - 1])
def test_reads_what_it_issued(counter: int) -> None:
    assert TOKENS.read(TOKENS.issue(SESSION, counter)) == (SESSION, counter)


def test_issues_the_same_token_each_time() -> None:
    assert TOKENS.issue(SESSION, 12) == TOKEN


def test_issues_a_token_of_its_own_for_each_number_and_session() -> None:
    tokens = {TOKENS.issue(SESSION, 1), TOKENS.issue(SESSION, 2), TOKENS.issue(SessionId(an_id()), 1)}

    assert len(tokens) == 3


def test_a_token_names_its_session_and_number_and_proves_them() -> None:
    session, counter, mac = TOKEN.split(".")

    assert (session, counter) == (SESSION.hex, "12")
    assert len(mac) == 43


def test_refuses_every_prefix() -> None:
    assert [TOKEN[:length] for length in range(len(TOKEN)) if not is_refused(TOKEN[:length])] == []


def test_refuses_a_token_with_any_bit_flipped() -> None:
    flipped = [
        TOKEN[:at] + chr(ord(TOKEN[at]) ^ 1 << bit) + TOKEN[at + 1 :] for at in range(len(TOKEN)) for bit in range(8)
    ]

    assert [token for token in flipped if not is_refused(token)] == []


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(f"{TOKEN} ", id="space after"),
        pytest.param(f"{TOKEN}\n", id="line end after"),
        pytest.param(f" {TOKEN}", id="space before"),
        pytest.param(f"{TOKEN}=", id="padded"),
        pytest.param(f"{TOKEN}.", id="one part more"),
        pytest.param(TOKEN.upper(), id="upper case"),
        pytest.param(TOKEN.replace(".12.", ".012."), id="leading zero"),
        pytest.param(TOKEN.replace(".12.", ".+12."), id="sign"),
        pytest.param(TOKEN.replace(".12.", ".١٢."), id="Arabic digits"),
        pytest.param(TOKEN.replace(".12.", f".{'9' * 100_000}."), id="huge number"),
        pytest.param(str(SESSION) + TOKEN[32:], id="dashed id"),
        pytest.param("", id="nothing"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param("\0" * 100, id="zeros"),
    ],
)
def test_refuses_other_spellings(token: str) -> None:
    assert is_refused(token)


def test_refuses_the_proof_of_another_number_or_session() -> None:
    proof = TOKEN.rpartition(".")[2]

    assert is_refused(f"{SESSION.hex}.13.{proof}")
    assert is_refused(f"{an_id().hex}.12.{proof}")


def test_refuses_the_tokens_of_another_installation() -> None:
    assert is_refused(HmacRefreshTokens(SecretKey(b"another installation")).issue(SESSION, 12))
