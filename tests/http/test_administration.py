import asyncio
from typing import Any
from uuid import UUID

import pytest

from adapters.memory.outbox import LETTERS
from adapters.memory.store import MemoryStore
from application.auth.export import PersonalDataQueries
from application.auth.ports import OneTimeTokenRepository
from application.outbox import Letter, LetterTemplate
from application.ports import UnitOfWork
from domain.audit import AuditAction
from domain.auth.one_time_token import OneTimeToken, TokenPurpose
from domain.ids import UserId
from domain.users.email import parse_email
from entrypoints.settings import Settings
from tests.api import Api, Person, pointers, problem, serve
from tests.builders import an_email, an_id
from tests.clock import NOW
from tests.containers import Override
from tests.http.test_sessions import sign_in_again

CHANGES = {
    AuditAction.USER_RENAMED,
    AuditAction.USER_EMAIL_CHANGED,
    AuditAction.USER_ROLE_CHANGED,
    AuditAction.USER_ACTIVATED,
    AuditAction.USER_DEACTIVATED,
    AuditAction.USER_DELETED,
    AuditAction.USER_EXPORTED,
}
NOBODY = "/users/00000000-0000-7000-8000-000000000000"


@pytest.fixture
async def admin(api: Api) -> Person:
    """Provide an administrator, the only one."""
    return await api.an_admin()


async def actions(api: Api, person: Person) -> list[tuple[AuditAction, dict[str, str]]]:
    """Return which changes were recorded as this person's, in order."""
    records: PersonalDataQueries = await api.container.get(PersonalDataQueries)
    events = await records.events(UserId(UUID(person.id)), limit=100, after=0)
    mine = [event for event in events if str(event.actor_id) == person.id and event.action in CHANGES]
    return [(AuditAction(event.action), dict(event.data)) for event in mine]


async def letters(api: Api, template: LetterTemplate) -> list[Letter]:
    store: MemoryStore = await api.container.get(MemoryStore)
    return [letter for letter in store.table(LETTERS, Letter).values() if letter.template is template]


# --- edit


async def test_administrators_change_accounts(stored_api: Api) -> None:
    admin, ann = await stored_api.an_admin(), await stored_api.a_person()
    email = an_email()

    answer = await stored_api.patch(
        f"/users/{ann.id}", admin, json={"full_name": "Ann", "email": email.upper(), "role": "admin"}
    )

    account = answer.json()
    assert answer.status_code == 200
    assert (account["full_name"], account["email"], account["role"]) == ("Ann", email, "admin")
    assert (account["is_active"], account["email_verified"], account["version"]) == (True, False, 2)
    assert answer.headers["etag"] == '"2"'
    assert (await stored_api.get(f"/users/{ann.id}", admin)).json() == account
    assert (await stored_api.get("/users", ann)).status_code == 200


async def test_what_is_left_out_stays_and_null_clears_the_name(api: Api, admin: Person, ann: Person) -> None:
    await api.patch(f"/users/{ann.id}", admin, json={"full_name": "Ann"})

    unchanged = await api.patch(f"/users/{ann.id}", admin, json={})
    cleared = await api.patch(f"/users/{ann.id}", admin, json={"full_name": None})

    assert (unchanged.status_code, unchanged.json()["full_name"], unchanged.headers["etag"]) == (200, "Ann", '"2"')
    assert (cleared.json()["full_name"], cleared.headers["etag"]) == (None, '"3"')


async def test_an_edit_that_has_seen_an_older_version_is_refused(api: Api, admin: Person, ann: Person) -> None:
    await api.patch(f"/users/{ann.id}", admin, json={"full_name": "Ann"})

    stale = await api.patch(f"/users/{ann.id}", admin, json={"role": "admin"}, headers={"If-Match": '"1"'})
    fresh = await api.patch(f"/users/{ann.id}", admin, json={"full_name": "Anna"}, headers={"If-Match": '"2"'})

    problem(stale, 412, "precondition_failed")
    assert (fresh.status_code, fresh.json()["role"]) == (200, "member")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "ann"}, "/email"),
        ({"email": None}, "/email"),
        ({"full_name": ""}, "/full_name"),
        ({"full_name": "x" * 201}, "/full_name"),
        ({"role": "owner"}, "/role"),
        ({"role": None}, "/role"),
        ({"is_active": "yes"}, "/is_active"),
        ({"is_active": None}, "/is_active"),
        ({"password": "another long password"}, "/password"),
    ],
)
async def test_an_edit_says_which_value_is_wrong(
    api: Api, admin: Person, ann: Person, body: dict[str, Any], pointer: str
) -> None:
    answer = await api.patch(f"/users/{ann.id}", admin, json=body)

    assert pointers(answer) == [pointer]


async def test_an_address_that_is_taken_is_refused(stored_api: Api) -> None:
    admin, ann = await stored_api.an_admin(), await stored_api.a_person()

    answer = await stored_api.patch(f"/users/{ann.id}", admin, json={"email": admin.email, "full_name": "Ann"})

    problem(answer, 409, "email_taken")
    assert (await stored_api.get("/users/me", ann)).json()["full_name"] is None


async def test_a_new_address_counts_at_once_and_the_old_one_is_told(api: Api, admin: Person, ann: Person) -> None:
    email = an_email()

    await api.patch(f"/users/{ann.id}", admin, json={"email": email})

    (letter,) = await letters(api, LetterTemplate.EMAIL_CHANGED)
    assert (letter.recipient, letter.data, str(letter.user_id)) == (ann.email, {"new_email": email}, ann.id)
    assert (await api.login(email)).status_code == 200
    problem(await api.login(ann.email), 401, "invalid_credentials")
    assert (await api.get("/users/me", ann)).status_code == 200


@pytest.mark.parametrize("change", [{"email": "elsewhere@example.org"}, {"is_active": False}])
async def test_links_that_are_under_way_end_with_the_address_and_with_the_account(
    stored_api: Api, change: dict[str, Any]
) -> None:
    admin, ann = await stored_api.an_admin(), await stored_api.a_person()
    user_id = UserId(UUID(ann.id))
    token = OneTimeToken.issue(
        an_id(),
        secret="a token",
        purpose=TokenPurpose.RESET_PASSWORD,
        user_id=user_id,
        email=parse_email(ann.email),
        now=NOW,
    )
    async with stored_api.container() as scope:
        await (await scope.get(OneTimeTokenRepository)).issue(token)
        await (await scope.get(UnitOfWork)).commit()

    await stored_api.patch(f"/users/{ann.id}", admin, json=change)

    reset = {"token": "a token", "new_password": "another long password, never used"}
    problem(await stored_api.post("/auth/password/reset", json=reset), 422, "invalid_or_expired_token")


async def test_members_change_no_account_and_learn_of_none(api: Api, ann: Person) -> None:
    bob = await api.a_person()

    for path in (f"/users/{bob.id}", f"/users/{ann.id}", NOBODY):
        problem(await api.patch(path, ann, json={"role": "admin"}), 403, "forbidden")
        problem(await api.delete(path, ann), 403, "forbidden")

    assert (await api.get("/users/me", ann)).json()["role"] == "member"


async def test_there_is_nothing_to_change_of_nobody(api: Api, admin: Person) -> None:
    problem(await api.patch(NOBODY, admin, json={"role": "member"}), 404, "not_found")
    problem(await api.delete(NOBODY, admin), 404, "not_found")


async def test_a_deactivated_account_is_out_at_once_and_its_sessions_stay_ended(stored_api: Api) -> None:
    admin, ann = await stored_api.an_admin(), await stored_api.a_person()
    assert (await stored_api.get("/users/me", ann)).status_code == 200

    off = await stored_api.patch(f"/users/{ann.id}", admin, json={"is_active": False})
    while_off = await stored_api.get("/users/me", ann), await stored_api.login(ann.email)
    on = await stored_api.patch(f"/users/{ann.id}", admin, json={"is_active": True})

    assert (off.json()["is_active"], on.json()["is_active"]) == (False, True)
    problem(while_off[0], 401, "invalid_token")
    problem(while_off[1], 401, "invalid_credentials")
    problem(await stored_api.get("/users/me", ann), 401, "invalid_token")
    refresh = await stored_api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})
    problem(refresh, 401, "invalid_refresh_token")
    assert (await stored_api.login(ann.email)).status_code == 200


async def test_a_demotion_holds_for_tokens_that_are_out(stored_api: Api) -> None:
    admin, other = await stored_api.an_admin(), await stored_api.an_admin()
    assert (await stored_api.get("/users", other)).status_code == 200

    await stored_api.patch(f"/users/{other.id}", admin, json={"role": "member"})

    problem(await stored_api.get("/users", other), 403, "forbidden")
    assert (await stored_api.get("/users/me", other)).status_code == 200


async def test_each_change_is_recorded(api: Api, admin: Person, ann: Person) -> None:
    path = f"/users/{ann.id}"
    await api.patch(path, admin, json={"full_name": "Ann", "email": an_email(), "role": "admin", "is_active": False})
    await api.patch(path, admin, json={"is_active": True, "role": "member"})
    await api.patch(path, admin, json={"is_active": True})
    await api.patch("/users/me", admin, json={"full_name": "Root"})
    await api.get("/users/me/export", admin)
    await api.delete(path, admin)

    assert await actions(api, admin) == [
        (AuditAction.USER_RENAMED, {}),
        (AuditAction.USER_EMAIL_CHANGED, {}),
        (AuditAction.USER_ROLE_CHANGED, {"from": "member", "to": "admin"}),
        (AuditAction.USER_DEACTIVATED, {}),
        (AuditAction.USER_ROLE_CHANGED, {"from": "admin", "to": "member"}),
        (AuditAction.USER_ACTIVATED, {}),
        (AuditAction.USER_RENAMED, {}),
        (AuditAction.USER_EXPORTED, {}),
        (AuditAction.USER_DELETED, {}),
    ]


# --- the last administrator


@pytest.mark.parametrize("body", [{"role": "member"}, {"is_active": False}, {"role": "member", "is_active": False}])
async def test_the_last_active_administrator_stays_one(stored_api: Api, body: dict[str, Any]) -> None:
    admin, retired = await stored_api.an_admin(), await stored_api.an_admin()
    await stored_api.patch(f"/users/{retired.id}", admin, json={"is_active": False})

    problem(await stored_api.patch(f"/users/{admin.id}", admin, json=body), 409, "last_admin")
    problem(await stored_api.delete(f"/users/{admin.id}", admin), 409, "last_admin")
    own = await stored_api.delete("/users/me", admin, json={"password": "correct horse battery staple"})
    problem(own, 409, "last_admin")

    assert (await stored_api.get("/users", admin)).status_code == 200


async def test_an_administrator_who_is_not_the_last_may_step_down(api: Api, admin: Person) -> None:
    other = await api.an_admin()

    answer = await api.patch(f"/users/{admin.id}", admin, json={"role": "member"})

    assert (answer.status_code, answer.json()["role"]) == (200, "member")
    assert (await api.get("/users", other)).status_code == 200


async def test_the_last_administrator_may_change_what_is_no_matter_of_power(api: Api, admin: Person) -> None:
    answer = await api.patch(f"/users/{admin.id}", admin, json={"full_name": "Root", "role": "admin"})

    assert answer.status_code == 200


async def test_a_deactivated_administrator_may_be_demoted_and_erased(api: Api, admin: Person) -> None:
    other = await api.an_admin()
    await api.patch(f"/users/{other.id}", admin, json={"is_active": False})

    assert (await api.patch(f"/users/{other.id}", admin, json={"role": "member"})).status_code == 200
    assert (await api.delete(f"/users/{other.id}", admin)).status_code == 204


@pytest.mark.parametrize("loss", ["demote", "deactivate", "erase", "mixed"])
async def test_of_administrators_who_undo_each_other_at_once_one_stays(
    storage: Settings, overrides: tuple[Override, ...], loss: str
) -> None:
    async def undo(api: Api, by: Person, whom: Person, kind: str) -> int:
        if kind == "erase":
            return (await api.delete(f"/users/{whom.id}", by)).status_code
        body = {"role": "member"} if kind == "demote" else {"is_active": False}
        return (await api.patch(f"/users/{whom.id}", by, json=body)).status_code

    async with serve(storage, *overrides) as api:
        admins = [await api.an_admin() for _ in range(4)]
        for admin in admins:
            assert (await api.get("/users", admin)).status_code == 200
        kinds = ["demote", "deactivate", "erase", "demote"] if loss == "mixed" else [loss] * 4

        # Each undoes the next one, all at once.
        outcomes = await asyncio.gather(
            *(undo(api, admins[n], admins[(n + 1) % 4], kind) for n, kind in enumerate(kinds))
        )
        left = [admin for admin in admins if (await api.get("/users", admin)).status_code == 200]

    assert len(left) >= 1
    assert set(outcomes) <= {200, 204, 409, 401, 403}
    assert sum(outcome in (200, 204) for outcome in outcomes) == 4 - len(left)


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_of_two_administrators_who_demote_each_other_at_once_exactly_one_wins(
    storage: Settings, overrides: tuple[Override, ...]
) -> None:
    async with serve(storage, *overrides) as api:
        ann, bob = await api.an_admin(), await api.an_admin()
        for admin in (ann, bob):
            assert (await api.get("/users", admin)).status_code == 200

        outcomes = await asyncio.gather(
            api.patch(f"/users/{bob.id}", ann, json={"role": "member"}),
            api.patch(f"/users/{ann.id}", bob, json={"role": "member"}),
        )

        seen = [(await api.get("/users", admin)).status_code for admin in (ann, bob)]

    # Whoever comes second is the last administrator, or has been found to be none any more.
    assert sorted(outcome.status_code for outcome in outcomes) in ([200, 409], [200, 403])
    assert sorted(seen) == [200, 403]


# --- erase


async def test_administrators_erase_accounts_with_all_that_is_theirs(stored_api: Api) -> None:
    admin, ann = await stored_api.an_admin(), await stored_api.a_person()
    item = (await stored_api.post("/items", ann, json={"title": "Milk"})).json()
    other = await sign_in_again(stored_api, ann)
    assert (await stored_api.get("/users/me", other)).status_code == 200

    stale = await stored_api.delete(f"/users/{ann.id}", admin, headers={"If-Match": '"9"'})
    answer = await stored_api.delete(f"/users/{ann.id}", admin, headers={"If-Match": '"1"'})

    problem(stale, 412, "precondition_failed")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(await stored_api.get(f"/users/{ann.id}", admin), 404, "not_found")
    problem(await stored_api.delete(f"/users/{ann.id}", admin), 404, "not_found")
    problem(await stored_api.login(ann.email), 401, "invalid_credentials")
    for person in (ann, other):
        problem(await stored_api.get("/users/me", person), 401, "invalid_token")
        refresh = await stored_api.post("/auth/refresh", json={"refresh_token": person.tokens["refresh_token"]})
        problem(refresh, 401, "invalid_refresh_token")
    again = await stored_api.a_person(ann.email)
    assert again.id != ann.id
    problem(await stored_api.get(f"/items/{item['id']}", again), 404, "not_found")


async def test_people_erase_themselves_with_their_password(stored_api: Api) -> None:
    ann, bob = await stored_api.a_person(), await stored_api.a_person()

    wrong = await stored_api.delete("/users/me", ann, json={"password": "not the password at all"})
    answer = await stored_api.delete("/users/me", ann, json={"password": "correct horse battery staple"})

    problem(wrong, 403, "wrong_password")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(await stored_api.get("/users/me", ann), 401, "invalid_token")
    assert (await stored_api.get("/users/me", bob)).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/password"), ({"password": None}, "/password"), ({"password": "x", "id": "1"}, "/id")],
)
async def test_erasing_oneself_takes_the_password_and_nothing_else(
    api: Api, ann: Person, body: dict[str, Any], pointer: str
) -> None:
    assert pointers(await api.delete("/users/me", ann, json=body)) == [pointer]


async def test_a_found_token_allows_few_guesses_at_the_password(api: Api, ann: Person) -> None:
    for _ in range(10):
        await api.delete("/users/me", ann, json={"password": "not the password at all"})

    limited = await api.delete("/users/me", ann, json={"password": "correct horse battery staple"})

    problem(limited, 429, "too_many_requests")
    assert int(limited.headers["retry-after"]) == 60


async def test_who_is_erased_is_told(api: Api, ann: Person) -> None:
    await api.delete("/users/me", ann, json={"password": "correct horse battery staple"})

    (letter,) = await letters(api, LetterTemplate.ACCOUNT_DELETED)
    assert (letter.recipient, letter.user_id, letter.data) == (ann.email, None, {})
