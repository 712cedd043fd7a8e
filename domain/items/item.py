"""An item: something an account owns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from domain.errors import FieldError, Invalid
from domain.ids import ItemId, UserId
from domain.text import fold, parse_line, parse_prose

Title = NewType("Title", str)
Description = NewType("Description", str)
Tag = NewType("Tag", str)

TITLE_MAX = 200
DESCRIPTION_MAX = 10_000
TAG_MAX = 50
TAGS_MAX = 20

_BETWEEN_TEXTS = "\x1f"
"""Unit separator: no text has it, so that nothing is found across the end of one and the beginning of the next."""


def parse_title(text: str) -> Title:
    """One line of 1 to 200 characters; raises Invalid."""
    return Title(parse_line(text, field="title", longest=TITLE_MAX))


def parse_description(text: str) -> Description:
    """Text of at most 10,000 characters; raises Invalid."""
    return Description(parse_prose(text, field="description", longest=DESCRIPTION_MAX))


def parse_tags(texts: Iterable[str]) -> tuple[Tag, ...]:
    """At most 20 tags of 1 to 50 characters, in the given order, each once; raises Invalid."""
    tags = dict.fromkeys(Tag(parse_line(text, field=f"tags/{at}", longest=TAG_MAX)) for at, text in enumerate(texts))
    if len(tags) > TAGS_MAX:
        raise Invalid(FieldError("tags", f"must be at most {TAGS_MAX}"))
    return tuple(tags)


@dataclass(slots=True, kw_only=True)
class Item:
    """A titled thing with an owner. Changed by `edit` only, which makes it the next version of what was loaded."""

    id: ItemId
    owner_id: UserId
    title: Title
    description: Description | None
    tags: tuple[Tag, ...]
    created_at: datetime
    updated_at: datetime
    version: int = 1
    _loaded_version: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._loaded_version = self.version

    @property
    def search_text(self) -> str:
        """What a search looks in: the title and the description, folded."""
        return fold(f"{self.title}{_BETWEEN_TEXTS}{self.description or ''}")

    def edit(self, *, title: Title, description: Description | None, tags: tuple[Tag, ...], now: datetime) -> None:
        """Replace what its owner may change."""
        self.title = title
        self.description = description
        self.tags = tags
        self.updated_at = now
        self.version = self._loaded_version + 1
