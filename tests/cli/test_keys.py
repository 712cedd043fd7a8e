"""`portico keys`."""

from datetime import datetime, timedelta

import pytest

from tests.builders import SECRET_KEY
from tests.cli.conftest import Portico

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


def test_publishes_the_next_key_before_it_signs(portico: Portico) -> None:
    first = portico("keys", "rotate", "--json").data

    rotated = portico("keys", "rotate")

    old, new = portico("keys", "list", "--json").data
    assert (rotated.code, rotated.out) == (0, "")
    assert rotated.err.startswith(f"Published {new['kid']}, which signs from ")
    assert (first["status"], old["kid"], old["status"], new["status"]) == ("active", first["kid"], "retiring", "next")
    activates, retires = datetime.fromisoformat(new["activates_at"]), datetime.fromisoformat(old["retires_at"])
    assert activates - datetime.fromisoformat(new["created_at"]) == timedelta(minutes=15)
    assert retires - activates == timedelta(minutes=10 + 5)


def test_lets_a_key_outlive_the_longest_token_that_it_signed(portico: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_ACCESS_TOKEN_MINUTES", "60")
    portico("keys", "rotate")
    new = portico("keys", "rotate", "--json").data

    old, _ = portico("keys", "list", "--json").data

    lifetime = datetime.fromisoformat(old["retires_at"]) - datetime.fromisoformat(new["activates_at"])
    assert lifetime == timedelta(minutes=60 + 5)


def test_signs_with_the_next_key_within_seconds_where_it_must(portico: Portico) -> None:
    portico("keys", "rotate")

    new = portico("keys", "rotate", "--now", "--json").data

    waits = datetime.fromisoformat(new["activates_at"]) - datetime.fromisoformat(new["created_at"])
    assert waits == timedelta(seconds=2)


def test_rotates_no_keys_of_another_secret(portico: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret could open all of them any more, and no server start."""
    kid = portico("keys", "rotate", "--json").data["kid"]
    monkeypatch.setenv("PORTICO_SECRET_KEY", SECRET_KEY[::-1])

    refused = portico("keys", "rotate")

    assert (refused.code, refused.out) == (1, "")
    assert "another PORTICO_SECRET_KEY" in refused.err
    assert [(key["kid"], key["status"]) for key in portico("keys", "list", "--json").data] == [(kid, "active")]


def test_lists_keys_as_a_table_without_their_private_halves(portico: Portico) -> None:
    kid = portico("keys", "rotate", "--json").data["kid"]

    listed = portico("keys", "list")

    header, row = listed.out.splitlines()
    assert header.split() == ["kid", "status", "created_at", "activates_at", "retires_at"]
    assert row.split()[:2] == [kid, "active"]


def test_retires_no_key_without_which_none_signs(portico: Portico) -> None:
    kid = portico("keys", "rotate", "--json").data["kid"]

    refused = portico("keys", "retire", kid)
    unknown = portico("keys", "retire", "nonsense")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        "portico: No other key signs now and goes on to. Rotate first; in an emergency at once, with --now.\n"
    )
    assert (unknown.code, unknown.err) == (1, "portico: There is no signing key with this id.\n")


@pytest.mark.parametrize("kid", ["-h5-no-such-key", "--no-such-key"])
def test_takes_an_id_that_begins_with_a_dash(portico: Portico, kid: str) -> None:
    assert portico("keys", "retire", kid).err == "portico: There is no signing key with this id.\n"


def test_retires_a_key_at_once(portico: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    old = portico("keys", "rotate", "--json").data["kid"]
    monkeypatch.setattr("entrypoints.cli.keys.EMERGENCY_PUBLICATION", timedelta(0))
    portico("keys", "rotate", "--now")

    retired = portico("keys", "retire", old)

    assert (retired.code, retired.out) == (0, "")
    assert retired.err.startswith(f"Retired {old}.")
    assert portico("keys", "retire", old, "--json").data["status"] == "retired"
    assert [key["status"] for key in portico("keys", "list", "--json").data] == ["retired", "active"]
