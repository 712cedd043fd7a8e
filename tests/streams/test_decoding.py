"""What is said of values that break a rule of a body."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import FieldError
from entrypoints.decoding import invalid_of


class Colour(Enum):
    """Something to choose from."""

    RED = "red"


class Body(Struct, forbid_unknown_fields=True):
    """A body with a rule of each kind."""

    text: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    maybe: str | UnsetType | None = UNSET
    count: Annotated[int, Meta(ge=1, le=100)] | UnsetType = UNSET
    share: float | UnsetType = UNSET
    flag: bool | UnsetType = UNSET
    tags: Annotated[list[Annotated[str, Meta(max_length=1)]], Meta(min_length=1, max_length=2)] | UnsetType = UNSET
    inner: "Inner | UnsetType" = UNSET
    moment: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET
    id: UUID | UnsetType = UNSET
    colour: Colour | UnsetType = UNSET
    pattern: Annotated[str, Meta(pattern="^a$")] | UnsetType = UNSET


class Inner(Struct):
    """An object in it."""

    name: str


def said_of(content: str) -> FieldError:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(content, type=Body)
    (error,) = invalid_of(raised.value).errors
    return error


@pytest.mark.parametrize(
    ("content", "field", "rule"),
    [
        ('{"text":1}', "text", "must be a text, not a number"),
        ('{"text":1.5}', "text", "must be a text, not a decimal number"),
        ('{"text":null}', "text", "must be a text, not null"),
        ('{"text":true}', "text", "must be a text, not true or false"),
        ('{"text":[]}', "text", "must be a text, not a list"),
        ('{"text":{}}', "text", "must be a text, not an object"),
        ('{"text":""}', "text", "must have at least 1 character"),
        ('{"text":"' + "x" * 201 + '"}', "text", "must have at most 200 characters"),
        ('{"maybe":1}', "maybe", "must be a text or null, not a number"),
        ('{"count":"1"}', "count", "must be a whole number, not a text"),
        ('{"count":1.5}', "count", "must be a whole number, not a decimal number"),
        ('{"count":0}', "count", "must be at least 1"),
        ('{"count":101}', "count", "must be at most 100"),
        ('{"share":"1"}', "share", "must be a number, not a text"),
        ('{"share":1e400}', "share", "is out of range"),
        ('{"flag":1}', "flag", "must be true or false, not a number"),
        ('{"tags":"a"}', "tags", "must be a list, not a text"),
        ('{"tags":[]}', "tags", "must have at least 1 entry"),
        ('{"tags":["a","b","c"]}', "tags", "must have at most 2 entries"),
        ('{"tags":["a",1]}', "tags/1", "must be a text, not a number"),
        ('{"tags":["a","bc"]}', "tags/1", "must have at most 1 character"),
        ('{"inner":[]}', "inner", "must be an object, not a list"),
        ('{"inner":{}}', "inner/name", "is required"),
        ('{"moment":"soon"}', "moment", "must be a time such as 2026-03-01T12:00:00Z"),
        ('{"moment":1}', "moment", "must be a time such as 2026-03-01T12:00:00Z or null, not a number"),
        ('{"moment":"2026-03-01T12:00:00"}', "moment", "must say its offset from UTC, as 2026-03-01T12:00:00Z does"),
        ('{"id":"x"}', "id", "must be a UUID"),
        ('{"id":1}', "id", "must be a UUID, not a number"),
        ('{"colour":"blue"}', "colour", "must be one of the values that are allowed"),
        ('{"pattern":"b"}', "pattern", "is not valid"),
        ('{"colours":1}', "colours", "is not a known field"),
        ("[]", "", "must be an object, not a list"),
    ],
)
def test_says_in_the_words_of_json_which_rule_is_broken_and_where(content: str, field: str, rule: str) -> None:
    assert said_of(content) == FieldError(field, rule)


def test_names_a_field_that_is_not_known_whatever_it_is_called() -> None:
    rule: Any = said_of('{"Expected `a\\n~/b`":1}')

    assert rule == FieldError("Expected `a\n~0~1b`", "is not a known field")
