import pytest

from tests.api import Api, Person, pointers, problem, serve
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock
from tests.containers import Overrides, settings_for


async def test_signing_up_makes_an_account_and_tells_where_it_is(api: Api) -> None:
    answer = await api.post("/users", json={"email": "Ann@Example.ORG ", "password": PASSWORD, "full_name": "Ann"})

    assert answer.status_code == 201
    account = answer.json()
    assert answer.headers["location"] == f"/api/v1/users/{account['id']}"
    assert answer.headers["etag"] == '"1"'
    assert set(account) == {
        "id", "email", "full_name", "role", "is_active", "email_verified", "created_at", "updated_at", "version",
    }  # fmt: skip
    assert account["email"] == "ann@example.org"
    assert account["full_name"] == "Ann"
    assert (account["role"], account["is_active"], account["email_verified"]) == ("member", True, False)
    assert account["created_at"] == "2026-03-01T12:00:00.123456Z"


async def test_one_address_is_one_account_however_it_is_spelled(api: Api) -> None:
    await api.post("/users", json={"email": "ann@example.org", "password": PASSWORD})

    again = await api.post("/users", json={"email": " ANN@example.ORG", "password": PASSWORD})

    problem(again, 409, "email_taken")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "ann@example.org", "password": "short"}, "/password"),
        ({"email": "ann@example.org", "password": "x" * 129}, "/password"),
        ({"email": "ann@example.org", "password": None}, "/password"),
        ({"email": "ann@example.org"}, "/password"),
        ({"email": "ann", "password": PASSWORD}, "/email"),
        ({"email": "ann@example.org\r\nBcc: bob@example.org", "password": PASSWORD}, "/email"),
        ({"email": "ann@example.org", "password": PASSWORD, "full_name": ""}, "/full_name"),
        ({"email": "ann@example.org", "password": PASSWORD, "full_name": "A\u0000"}, "/full_name"),
        ({"email": "ann@example.org", "password": PASSWORD, "role": "admin"}, "/role"),
        ({"email": "ann@example.org", "password": PASSWORD, "email_verified": True}, "/email_verified"),
        ({"email": "ann@example.org", "password": PASSWORD, "id": "1"}, "/id"),
    ],
)
async def test_signing_up_says_which_value_is_wrong(api: Api, body: dict[str, object], pointer: str) -> None:
    answer = await api.post("/users", json=body)

    assert pointers(answer) == [pointer]


async def test_nobody_signs_up_while_sign_up_is_closed(clock: FixedClock) -> None:
    async with serve(settings_for("memory:", SIGNUP="closed"), Overrides(clock)) as api:
        answer = await api.post("/users", json={"email": an_email(), "password": PASSWORD})

    problem(answer, 403, "signup_closed")


async def test_people_see_and_rename_themselves(api: Api, ann: Person) -> None:
    before = await api.get("/users/me", ann)

    renamed = await api.patch("/users/me", ann, json={"full_name": "Ann"})
    cleared = await api.patch("/users/me", ann, json={"full_name": None})

    assert before.json()["id"] == ann.id
    assert renamed.json()["full_name"] == "Ann"
    assert renamed.headers["etag"] == '"2"'
    assert cleared.json()["full_name"] is None
    assert (await api.get(f"/users/{ann.id}", ann)).json() == cleared.json()


async def test_a_rename_that_has_seen_an_older_version_is_refused(api: Api, ann: Person) -> None:
    await api.patch("/users/me", ann, json={"full_name": "Ann"})

    stale = await api.patch("/users/me", ann, json={"full_name": "Bob"}, headers={"If-Match": '"1"'})

    problem(stale, 412, "precondition_failed")
    assert (await api.get("/users/me", ann)).json()["full_name"] == "Ann"


async def test_somebody_else_is_not_found_the_same_as_nobody(api: Api, ann: Person) -> None:
    bob = await api.a_person()

    somebody = await api.get(f"/users/{bob.id}", ann)
    nobody = await api.get("/users/00000000-0000-7000-8000-000000000000", ann)

    assert problem(somebody, 404, "not_found")["detail"] == problem(nobody, 404, "not_found")["detail"]


async def test_members_do_not_list_users(api: Api, ann: Person) -> None:
    problem(await api.get("/users", ann), 403, "forbidden")
