import time

import pytest

from tests.api import Api, Person, problem


@pytest.fixture
async def path(api: Api, ann: Person) -> str:
    """Provide the path of an item at version 2."""
    item = (await api.post("/items", ann, json={"title": "Milk"})).json()
    await api.patch(f"/items/{item['id']}", ann, json={"title": "Bread"})
    return f"/items/{item['id']}"


@pytest.mark.parametrize("tags", ['"2"', 'W/"2"', '"1", "2"', '"1",W/"2" , "x"', "*"])
async def test_what_the_client_has_already_is_not_sent_again(api: Api, ann: Person, path: str, tags: str) -> None:
    answer = await api.get(path, ann, headers={"If-None-Match": tags})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"2"')


@pytest.mark.parametrize("tags", ['"1"', '"22"', '""', '"x"'])
async def test_what_the_client_has_not_is_sent(api: Api, ann: Person, path: str, tags: str) -> None:
    answer = await api.get(path, ann, headers={"If-None-Match": tags})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("tags", ['"2"', '"1", "2"', ' "2" ,', "*"])
async def test_a_change_of_what_the_client_has_seen_is_made(api: Api, ann: Person, path: str, tags: str) -> None:
    answer = await api.patch(path, ann, json={"title": "Beer"}, headers={"If-Match": tags})

    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')


@pytest.mark.parametrize("tags", ['"1"', 'W/"2"', '"x"', '"02"', '"99999999999999999999"'])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_change_of_something_else_is_refused(api: Api, ann: Person, path: str, method: str, tags: str) -> None:
    body = {"json": {"title": "Beer"}} if method == "PATCH" else {}

    answer = await api.call(method, path, ann, headers={"If-Match": tags}, **body)

    problem(answer, 412, "precondition_failed")
    assert (await api.get(path, ann)).json()["title"] == "Bread"


@pytest.mark.parametrize("tags", ["2", '"2', 'w/"2"', '"1" "2"', '*, "2"', ""])
async def test_what_is_no_list_of_entity_tags_is_refused(api: Api, ann: Person, path: str, tags: str) -> None:
    answer = await api.patch(path, ann, json={"title": "Beer"}, headers={"If-Match": tags})

    problem(answer, 400, "malformed_header")


@pytest.mark.parametrize("tags", ['"1"', '"1", "7"', 'W/"2"'])
async def test_a_version_that_is_not_there_any_more_is_not_shown(api: Api, ann: Person, path: str, tags: str) -> None:
    problem(await api.get(path, ann, headers={"If-Match": tags}), 412, "precondition_failed")


async def test_if_match_counts_before_if_none_match(api: Api, ann: Person, path: str) -> None:
    both = await api.get(path, ann, headers={"If-Match": '"2"', "If-None-Match": '"2"'})
    stale = await api.get(path, ann, headers={"If-Match": '"1"', "If-None-Match": '"2"'})

    assert both.status_code == 304
    problem(stale, 412, "precondition_failed")


@pytest.mark.parametrize("tags", ['"2"', 'W/"2"', '"1", "2"', "*"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_change_of_what_must_not_be_there_is_refused(
    api: Api, ann: Person, path: str, method: str, tags: str
) -> None:
    body = {"json": {"title": "Beer"}} if method == "PATCH" else {}

    answer = await api.call(method, path, ann, headers={"If-None-Match": tags}, **body)

    problem(answer, 412, "precondition_failed")
    assert (await api.get(path, ann)).json()["title"] == "Bread"


async def test_a_change_of_another_version_than_the_unwanted_is_made(api: Api, ann: Person, path: str) -> None:
    answer = await api.patch(path, ann, json={"title": "Beer"}, headers={"If-None-Match": '"1", "x"'})

    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')


async def test_tags_in_several_headers_are_one_list(api: Api, ann: Person, path: str) -> None:
    headers = [*ann.headers.items(), ("If-Match", '"1"'), ("If-Match", '"2"')]

    answer = await api.client.request("PATCH", f"/api/v1{path}", json={"title": "Beer"}, headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "tags", ['"1"' + " , " * 20_000 + "x", " " * 60_000 + "x", '"' * 60_000, '"1' * 20_000, "W/" * 30_000, "," * 60_000]
)
async def test_a_list_made_to_take_long_is_refused_at_once(api: Api, ann: Person, path: str, tags: str) -> None:
    started = time.process_time()

    problem(await api.get(path, ann, headers={"If-None-Match": tags}), 400, "malformed_header")

    assert time.process_time() - started < 0.5
