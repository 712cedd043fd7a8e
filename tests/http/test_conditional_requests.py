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
