from datetime import timedelta

import pytest

from tests.api import Api, Person, pointers, problem
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock


async def test_a_login_gives_tokens_that_open_the_api(api: Api, ann: Person) -> None:
    answer = await api.login(ann.email.upper())

    tokens = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(tokens) == {
        "access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "session_id",
    }  # fmt: skip
    assert (tokens["token_type"], tokens["expires_in"], tokens["refresh_expires_in"]) == ("Bearer", 600, 14 * 86_400)
    me = await api.get("/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["id"] == ann.id


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(api: Api, ann: Person) -> None:
    wrong = await api.login(ann.email, "not the password at all")
    unknown = await api.login(an_email())
    malformed = await api.login("no address")

    answers = [problem(answer, 401, "invalid_credentials") for answer in (wrong, unknown, malformed)]
    for answer in answers:
        del answer["request_id"]
    assert answers[0] == answers[1] == answers[2]
    assert wrong.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Bearer \xff",
        "bearer " + "x" * 5000,
    ],
)
async def test_who_proves_nothing_is_sent_away(api: Api, authorization: str | None) -> None:
    headers = {} if authorization is None else {b"Authorization": authorization.encode("latin-1")}

    answer = await api.client.request("GET", "/api/v1/users/me", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_strangers_learn_nothing_about_what_a_body_should_be(api: Api) -> None:
    answer = await api.post("/items", content=b"{", headers={"Content-Type": "application/json"})

    problem(answer, 401, "unauthenticated")


async def test_an_access_token_ends_with_its_time(api: Api, ann: Person, clock: FixedClock) -> None:
    clock.advance(timedelta(minutes=10, seconds=4))
    within_leeway = await api.get("/users/me", ann)
    clock.advance(timedelta(seconds=2))
    after = await api.get("/users/me", ann)

    assert within_leeway.status_code == 200
    problem(after, 401, "invalid_token")


async def test_a_refresh_token_is_spent_for_its_successor(api: Api, ann: Person) -> None:
    first = await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})
    again = await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

    assert first.status_code == again.status_code == 200
    assert first.json()["refresh_token"] == again.json()["refresh_token"] != ann.tokens["refresh_token"]
    assert first.json()["session_id"] == ann.tokens["session_id"]


async def test_a_refresh_token_used_again_later_ends_the_session_for_good(
    api: Api, ann: Person, clock: FixedClock
) -> None:
    successor = (await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})).json()
    clock.advance(timedelta(seconds=10))

    reused = await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})

    problem(reused, 401, "invalid_refresh_token")
    problem(
        await api.post("/auth/refresh", json={"refresh_token": successor["refresh_token"]}),
        401,
        "invalid_refresh_token",
    )
    problem(await api.get("/users/me", ann), 401, "invalid_token")


async def test_logging_out_ends_access_and_refresh_at_once(api: Api, ann: Person) -> None:
    answer = await api.post("/auth/logout", ann)

    assert (answer.status_code, answer.content) == (204, b"")
    problem(await api.get("/users/me", ann), 401, "invalid_token")
    refresh = await api.post("/auth/refresh", json={"refresh_token": ann.tokens["refresh_token"]})
    problem(refresh, 401, "invalid_refresh_token")


async def test_tokens_of_one_kind_are_no_good_as_another(api: Api, ann: Person) -> None:
    as_access = await api.get("/users/me", headers={"Authorization": f"Bearer {ann.tokens['refresh_token']}"})
    as_refresh = await api.post("/auth/refresh", json={"refresh_token": ann.tokens["access_token"][:128]})

    problem(as_access, 401, "invalid_token")
    problem(as_refresh, 401, "invalid_refresh_token")


async def test_a_login_takes_no_unknown_field(api: Api) -> None:
    answer = await api.post("/auth/login", json={"email": an_email(), "password": PASSWORD, "remember": True})

    assert pointers(answer) == ["/remember"]


@pytest.mark.usefixtures("ann")
async def test_the_public_keys_are_published_without_the_private_half(api: Api) -> None:
    answer = await api.get("//.well-known/jwks.json")

    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "Ed25519")
    assert answer.headers["cache-control"] == "public, max-age=300"


class TestOAuth:
    async def test_gives_tokens_for_a_password(self, api: Api, ann: Person) -> None:
        form = {"grant_type": "password", "username": ann.email, "password": PASSWORD, "scope": ""}

        answer = await api.post("/auth/token", data=form)

        assert answer.status_code == 200
        assert answer.headers["pragma"] == "no-cache"
        assert answer.json()["token_type"] == "Bearer"

    async def test_gives_tokens_for_a_refresh_token(self, api: Api, ann: Person) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": ann.tokens["refresh_token"]}

        answer = await api.post("/auth/token", data=form)

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"grant_type": "password", "username": "ann@example.org", "password": "wrong"}, "invalid_grant"),
            ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, "invalid_grant"),
            ({"grant_type": "password", "username": "ann@example.org"}, "invalid_request"),
            ({"grant_type": "password", "username": "ann@example.org", "password": "x" * 513}, "invalid_request"),
            ({"grant_type": "password", "username": "a\x00", "password": "x"}, "invalid_request"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
            ({"grant_type": ["password", "password"]}, "invalid_request"),
            ({}, "invalid_request"),
        ],
    )
    async def test_refuses_in_the_words_of_oauth(self, api: Api, form: dict[str, str], error: str) -> None:
        answer = await api.post("/auth/token", data=form)

        assert answer.status_code == 400
        assert answer.json()["error"] == error
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize("content", [b"grant_type=%ff", b"grant_type=\xff", b"&" * 30 + b"a=1&" * 30])
    async def test_refuses_what_is_no_form(self, api: Api, content: bytes) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}

        answer = await api.post("/auth/token", content=content, headers=headers)

        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")

    async def test_refuses_json(self, api: Api) -> None:
        answer = await api.post("/auth/token", json={"grant_type": "password"})

        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
