"""Walking lists, and printing on one line."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from application.paging import PAGE_MAX, Page, Place
from domain.errors import Unavailable
from entrypoints.cli.messages import reason_of
from entrypoints.cli.output import pages


async def _walk(length: int, *, limit: int | None) -> tuple[list[int], list[int]]:
    """Return what was walked of a list of numbers, and how many of them each page was asked for."""
    asked = []

    async def fetch(most: int, after: Place | None) -> Page[int]:
        asked.append(most)
        start = 0 if after is None else after.id.int + 1
        end = min(start + most, length)
        data: Sequence[int] = range(start, end)
        return Page(data, Place(key="", id=UUID(int=end - 1)) if end < length else None)

    return [number async for page in pages(fetch, limit=limit) for number in page], asked


@pytest.mark.parametrize("length", [0, 1, PAGE_MAX, PAGE_MAX + 1, 2 * PAGE_MAX])
async def test_walks_a_list_to_its_end(length: int) -> None:
    walked, asked = await _walk(length, limit=None)

    assert walked == list(range(length))
    assert set(asked) == {PAGE_MAX}


@pytest.mark.parametrize("limit", [1, PAGE_MAX, PAGE_MAX + 1, 1000])
async def test_walks_a_list_up_to_the_limit(limit: int) -> None:
    walked, asked = await _walk(250, limit=limit)

    assert walked == list(range(min(limit, 250)))
    assert sum(asked) <= max(limit, PAGE_MAX)


def test_gives_a_reason_on_one_line() -> None:
    error = Unavailable("Not\nnow.")
    error.__cause__ = OSError("one\n\ntwo")

    assert reason_of(error) == "Not now. (one two)"


def test_gives_a_reason_that_no_terminal_obeys() -> None:
    assert reason_of(Unavailable("Not\x1b[31m\x9b1mnow\udcff.")) == "Not [31m 1mnow ."


def test_names_a_cause_that_says_nothing() -> None:
    error = Unavailable("Not now.")
    error.__cause__ = TimeoutError()

    assert reason_of(error) == "Not now. (TimeoutError)"
