"""`portico audit`."""

import sqlite3

import pytest

from entrypoints.settings import Settings
from tests.builders import an_email, an_id
from tests.cli.conftest import Portico

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


def tamper(storage: Settings, statement: str) -> None:
    with sqlite3.connect(storage.database_url.removeprefix("sqlite:///")) as connection:
        connection.execute(statement)
    connection.close()


def test_lists_what_the_operator_did_the_newest_first(portico: Portico) -> None:
    user = portico("users", "create", an_email(), "--json").data
    kid = portico("keys", "rotate", "--json").data["kid"]

    rotated, created = portico("audit", "list", "--json").data

    assert (rotated["action"], rotated["actor_id"], rotated["data"]) == (
        "signing_key.rotated",
        None,
        {"kid": kid, "by": "operator"},
    )
    assert (created["action"], created["actor_id"], created["subject_id"]) == ("user.created", None, user["id"])
    assert created["data"] == {"role": "member", "by": "operator"}


def test_lists_events_as_a_table(portico: Portico) -> None:
    portico("keys", "rotate")

    header, row = portico("audit", "list").out.splitlines()

    assert header.split() == ["created_at", "action", "actor_id", "subject_id", "ip", "data"]
    assert row.split()[1:5] == ["signing_key.rotated", "-", "-", "-"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), 3),
        (("--limit", "2"), 2),
        (("--action", "signing_key.rotated"), 2),
        (("--action", "login.failed"), 0),
        (("--actor-id", str(an_id())), 0),
        (("--since", "2026-01-01T00:00:00Z"), 3),
        (("--since", "2199-01-01T00:00:00+01:00"), 0),
    ],
)
def test_lists_what_is_asked_for(portico: Portico, options: tuple[str, ...], found: int) -> None:
    portico("users", "create", an_email())
    portico("keys", "rotate")
    portico("keys", "rotate")

    assert len(portico("audit", "list", "--json", *options).data) == found


@pytest.mark.parametrize(
    "options",
    [
        ("list", "--since", "2026-01-01T00:00:00"),
        ("list", "--since", "yesterday"),
        ("list", "--since", "9999-12-31T23:59:59-01:00"),
        ("list", "--action", "x"),
        ("list", "--actor-id", "x"),
        ("verify", "--expect-head", "abc"),
        ("verify", "--expect-head", "g" * 64),
    ],
)
def test_says_which_option_is_wrong(portico: Portico, options: tuple[str, ...]) -> None:
    assert portico("audit", *options).code == 2


def test_finds_a_whole_trail_whole_and_prints_its_head(portico: Portico) -> None:
    portico("keys", "rotate")
    portico("keys", "rotate")

    verified = portico("audit", "verify")

    head = verified.out.strip()
    assert (verified.code, verified.err) == (0, "The trail of 2 events is whole. Its head:\n")
    assert len(bytes.fromhex(head)) == 32
    assert portico("audit", "verify", "--json").data == {
        "events": 2,
        "head": head,
        "broken": None,
        "lacks_anchor": False,
    }


def test_finds_an_empty_trail_whole(portico: Portico) -> None:
    verified = portico("audit", "verify")

    assert (verified.code, verified.out) == (0, "-\n")


def test_tells_where_the_trail_was_tampered_with(portico: Portico, storage: Settings) -> None:
    for _ in range(3):
        portico("keys", "rotate")
    tamper(storage, "UPDATE audit_events SET action = 'login.failed' WHERE position = 2")

    found = portico("audit", "verify")
    in_json = portico("audit", "verify", "--json")

    assert (found.code, found.out) == (1, "")
    assert found.err == "portico: The audit trail is broken at position 2: it was changed after it was written.\n"
    assert in_json.code == 1
    assert in_json.data["broken"] == {"position": 2, "flaw": "content"}


def test_finds_a_cut_off_end_by_the_head_that_was_kept(portico: Portico, storage: Settings) -> None:
    portico("keys", "rotate")
    portico("keys", "rotate")
    head = portico("audit", "verify").out.strip()
    portico("keys", "rotate")
    assert portico("audit", "verify", "--expect-head", head.upper()).code == 0

    tamper(storage, "DELETE FROM audit_events WHERE position >= 2")

    assert portico("audit", "verify").code == 0
    found = portico("audit", "verify", "--expect-head", head)
    assert found.code == 1
    assert "lacks the expected event" in found.err
