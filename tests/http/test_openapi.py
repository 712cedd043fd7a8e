import json
import re
from typing import Any

import pytest

from entrypoints.http.app import openapi_document
from tests.api import Api, problem, serve
from tests.clock import FixedClock
from tests.containers import Overrides, settings_for

METHODS = ("get", "post", "put", "patch", "delete")

PUBLIC = {
    ("get", "/.well-known/jwks.json"),
    ("get", "/health"),
    ("get", "/health/ready"),
    ("post", "/api/v1/auth/email/verify"),
    ("post", "/api/v1/auth/login"),
    ("post", "/api/v1/auth/password/forgot"),
    ("post", "/api/v1/auth/password/reset"),
    ("post", "/api/v1/auth/login/mfa"),
    ("post", "/api/v1/auth/refresh"),
    ("post", "/api/v1/auth/token"),
    ("post", "/api/v1/users"),
}
"""Every operation that a stranger may call. All others are private."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Provide the OpenAPI document."""
    loaded: dict[str, Any] = json.loads(openapi_document())
    return loaded


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """List each operation with its method and path."""
    return [
        (method, path, item[method]) for path, item in document["paths"].items() for method in METHODS if method in item
    ]


async def test_the_document_and_the_page_are_served(api: Api, document: dict[str, Any]) -> None:
    served = await api.get("//openapi.json")
    page = await api.get("//docs")

    assert served.json() == document
    assert document["openapi"].startswith("3.1")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_every_asset_of_the_page_is_served_here(api: Api) -> None:
    page = (await api.get("//docs")).text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith(("/docs/assets/", "data:"))
        if address.startswith("/"):
            asset = await api.get(f"/{address}")
            assert (asset.status_code, bool(asset.content)) == (200, True)
    assert "<script>" not in page


@pytest.mark.parametrize("name", ["..%2f..%2fapp.py", "%2e%2e%2fapp.py", "....//", "app.py", "%00", "LICENSE"])
async def test_nothing_else_is_served_beside_the_assets(api: Api, name: str) -> None:
    problem(await api.get(f"//docs/assets/{name}"), 404, "not_found")


async def test_production_shows_no_documentation_unless_asked(clock: FixedClock) -> None:
    async with serve(settings_for("memory:", DOCS="off"), Overrides(clock)) as api:
        for path in ("//docs", "//openapi.json", "//docs/assets/docs.js", "//schema"):
            problem(await api.get(path), 404, "not_found")


def test_every_operation_is_private_unless_listed(document: dict[str, Any]) -> None:
    public = {(method, path) for method, path, operation in operations(document) if "security" not in operation}

    assert public == PUBLIC


async def test_every_private_operation_refuses_strangers(api: Api, document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if "security" in operation:
            concrete = re.sub(r"\{[^}]+\}", "01a20788-434b-730a-ad27-acf2a9cae3f7", path)

            answer = await api.client.request(method, concrete)

            problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"


def test_every_operation_names_the_problems_it_can_answer(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        answers = operation["responses"]
        expected = {"503"}
        if "security" in operation:
            expected |= {"401", "403"}
        if "requestBody" in operation and path != "/api/v1/auth/token":
            expected |= {"400", "415", "422"}
            # A file may be of any size.
            expected |= set() if path == "/api/v1/items/import" else {"413"}
        if "{" in path:
            expected |= {"404"}
        assert expected <= answers.keys(), (method, path)
        for status, answer in answers.items():
            if status >= "400" and path != "/api/v1/auth/token":
                assert list(answer["content"]) == ["application/problem+json"], (method, path, status)


def test_every_operation_has_a_name_and_words(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(names) == len(set(names))
    for _, _, operation in operations(document):
        assert operation["summary"] or operation["description"]
        assert operation["tags"]


def test_no_parameter_carries_a_secret_or_an_injected_object(document: dict[str, Any]) -> None:
    known = {
        "limit", "cursor", "sort", "q", "role", "is_active", "actor_id", "action", "since",
        "tag", "created_after", "created_before", "owner_id", "format",
        "If-Match", "If-None-Match", "Idempotency-Key",
        "user_id", "item_id", "key_id", "session_id",
    }  # fmt: skip
    for _, path, operation in operations(document):
        names = {parameter["name"] for parameter in operation.get("parameters", ())}

        assert names <= known, path


def headers_of(operation: dict[str, Any], status: str) -> set[str]:
    return set(operation["responses"][status].get("headers", {}))


def test_headers_are_named_that_are_sent_and_answered(document: dict[str, Any]) -> None:
    taken, answered = {}, {}
    for _, _, operation in operations(document):
        parameters = operation.get("parameters", ())
        taken[operation["operationId"]] = {each["name"] for each in parameters if each["in"] == "header"}
        answered[operation["operationId"]] = headers_of(operation, min(operation["responses"]))

    conditions = {"If-Match", "If-None-Match"}
    assert {name: headers for name, headers in taken.items() if headers} == {
        **{key: {"Idempotency-Key"} for key in ("signUp", "addItem", "addItems")},
        **dict.fromkeys(("showItem", "editItem", "deleteItem"), conditions),
        **dict.fromkeys(("showProfile", "renameProfile", "showUser", "editUser", "eraseUser"), conditions),
    }
    assert {name for name, headers in answered.items() if "Link" in headers} == {
        "listItems",
        "listUsers",
        "listAuditEvents",
    }
    assert answered["addItem"] == answered["signUp"] == {"ETag", "Location", "Idempotency-Replayed"}
    assert answered["addItems"] == {"Idempotency-Replayed"}
    assert answered["editItem"] == {"ETag"}
    assert answered["deleteItem"] == set()


def test_what_the_client_has_already_is_not_sent_again_where_there_is_an_entity_tag(document: dict[str, Any]) -> None:
    unchanged = {
        operation["operationId"] for _, _, operation in operations(document) if "304" in operation["responses"]
    }

    assert unchanged == {"showItem", "showUser", "showProfile"}


def test_who_has_to_wait_is_told_for_how_long(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        for status in {"429", "503"} & operation["responses"].keys():
            assert headers_of(operation, status) == {"Retry-After"}
        if "401" in operation["responses"] and "security" in operation:
            assert headers_of(operation, "401") == {"WWW-Authenticate"}


def test_no_query_can_be_null(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert "null" not in str(parameter["schema"]), parameter


def test_things_are_named_as_people_speak_of_them(document: dict[str, Any]) -> None:
    names = document["components"]["schemas"].keys()

    assert names >= {"Item", "ItemPage", "User", "UserPage", "Tokens", "Problem"}
    assert not [name for name in names if "View" in name or "." in name]
    for name, schema in document["components"]["schemas"].items():
        assert schema["title"] == name


def test_every_text_number_and_list_that_is_taken_has_a_bound(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    taken = [
        content["schema"]
        for _, path, operation in operations(document)
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if path != "/api/v1/auth/token"
    ]
    assert taken
    for schema in taken:
        _assert_bounded(schema, schemas)


def _assert_bounded(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("properties", {}).values()):
        _assert_bounded(part, schemas)
    if schema.get("type") == "string" and "enum" not in schema:
        assert "maxLength" in schema or "format" in schema, schema
    if schema.get("type") == "array":
        assert "maxItems" in schema, schema
        _assert_bounded(schema["items"], schemas)
