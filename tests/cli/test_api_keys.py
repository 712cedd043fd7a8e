"""`portico api-keys`."""

import pytest

from tests.builders import an_email, an_id
from tests.cli.conftest import Portico

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


def an_owner(portico: Portico) -> str:
    email = an_email()
    assert portico("users", "create", email).code == 0
    return email


def create(portico: Portico, owner: str, *options: str) -> str:
    made = portico("api-keys", "create", "--owner", owner, "--name", "CI", "--scope", "items:read", *options)
    assert made.code == 0, made.err
    return made.out.strip()


def test_makes_a_key_and_prints_it_once(portico: Portico) -> None:
    owner = an_owner(portico)

    key = create(portico, owner, "--scope", "items:write")

    shown = portico("api-keys", "list", "--json").data
    assert (key[:4], len(key)) == ("ptk_", 75)
    assert [(view["prefix"], view["scopes"]) for view in shown] == [(key[:20], ["items:read", "items:write"])]
    assert "key" not in shown[0]


def test_prints_a_new_key_in_json(portico: Portico) -> None:
    owner, end = an_owner(portico), "2999-01-01T00:00:00Z"

    made = portico("api-keys", "create", "--owner", owner, "--name", "CI", "--scope", "audit:read", "--json")
    too_far = portico(
        "api-keys", "create", "--owner", owner, "--name", "CI", "--scope", "audit:read", "--expires-at", end
    )

    assert made.data["key"].startswith(made.data["prefix"])
    assert (too_far.code, "expires_at" in too_far.err) == (1, True)


def test_lists_the_keys_of_all_or_of_one(portico: Portico) -> None:
    one, two = an_owner(portico), an_owner(portico)
    keys = [create(portico, owner) for owner in (one, two, one)]

    everybody = portico("api-keys", "list", "--json").data
    ones = portico("api-keys", "list", "--owner", one, "--json").data
    first = portico("api-keys", "list", "--owner", one, "--limit", "1", "--json").data
    table = portico("api-keys", "list").out

    assert [view["prefix"] for view in everybody] == [key[:20] for key in keys]
    assert [view["prefix"] for view in ones] == [keys[0][:20], keys[2][:20]]
    assert first == ones[:1]
    assert all(key[:20] in table and key not in table for key in keys)


def test_revokes_a_key_once(portico: Portico) -> None:
    create(portico, an_owner(portico))
    key_id = portico("api-keys", "list", "--json").data[0]["id"]

    revoked, again = (portico("api-keys", "revoke", key_id) for _ in range(2))

    assert (revoked.code, key_id in revoked.err) == (0, True)
    assert (again.code, again.err) == (1, "portico: There is no API key with this id.\n")
    assert portico("api-keys", "list", "--json").data == []


@pytest.mark.parametrize(
    "options",
    [
        ["--scope", "credentials"],
        ["--expires-at", "tomorrow"],
        [],
    ],
)
def test_a_wrong_option_is_misuse(portico: Portico, options: list[str]) -> None:
    assert portico("api-keys", "create", "--owner", an_email(), "--name", "CI", *options).code == 2


def test_refuses_what_is_not_there(portico: Portico) -> None:
    missing = portico("api-keys", "create", "--owner", an_email(), "--name", "CI", "--scope", "items:read")

    assert (missing.code, missing.out) == (1, "")
    assert portico("api-keys", "revoke", str(an_id())).code == 1
