"""Items as bodies and as rows of files, for HTTP and the command line alike."""

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from application.items.drafts import ItemDraft
from application.items.views import ItemView
from domain.errors import FieldError, Invalid
from domain.items.item import DESCRIPTION_MAX, TAG_MAX, TAGS_MAX, TITLE_MAX
from entrypoints.streams import csv_rows, ndjson
from entrypoints.streams.csv_rows import CsvReader, csv_lines
from entrypoints.streams.ndjson import NdjsonReader, ndjson_lines
from entrypoints.streams.rows import RowReader

TitleText = Annotated[str, Meta(min_length=1, max_length=TITLE_MAX)]
DescriptionText = Annotated[str, Meta(max_length=DESCRIPTION_MAX)]
TagTexts = Annotated[list[Annotated[str, Meta(min_length=1, max_length=TAG_MAX)]], Meta(max_length=TAGS_MAX)]

_EXPORTED = tuple(field.name for field in dataclasses.fields(ItemView))


class RowFormat(StrEnum):
    """How a file of items is written."""

    NDJSON = "ndjson"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """As `Content-Type` names it."""
        return ndjson.MEDIA_TYPE if self is RowFormat.NDJSON else csv_rows.MEDIA_TYPE


class NewItemBody(Struct, forbid_unknown_fields=True):
    """A new item."""

    title: TitleText
    description: DescriptionText | None = None
    tags: TagTexts = []

    def draft(self) -> ItemDraft:
        """Return what to make the item from."""
        return ItemDraft(self.title, self.description, self.tags)


class ItemRow(NewItemBody, forbid_unknown_fields=True, omit_defaults=True):
    """A new item as a file has it. The rest of what an export says is passed over: the item will be another one."""

    id: Any = None
    owner_id: Any = None
    created_at: Any = None
    updated_at: Any = None
    version: Any = None


def _tags(text: str | None) -> list[str]:
    if text is None:
        return []
    if not text.startswith("["):
        return [tag for tag in map(str.strip, text.split(",")) if tag]
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError:
        raise Invalid(FieldError("tags", "must be a JSON array of texts, or tags separated by commas")) from None


def item_reader(row_format: RowFormat) -> RowReader[ItemRow]:
    """Return what reads one file of items."""
    if row_format is RowFormat.NDJSON:
        return NdjsonReader(ItemRow)
    cells = {"title": lambda text: text, "description": lambda text: text, "tags": _tags}
    return CsvReader(ItemRow, cells, ignored=[name for name in _EXPORTED if name not in cells])


async def written_items(items: AsyncIterable[Sequence[ItemView]], row_format: RowFormat) -> AsyncGenerator[bytes]:
    """Yield the parts of a file of these items."""
    if row_format is RowFormat.NDJSON:
        async for some in items:
            yield ndjson_lines(some)
        return
    header = [_EXPORTED]
    async for some in items:
        yield csv_lines([*header, *(tuple(msgspec.to_builtins(item).values()) for item in some)])
        header = []
    if header:
        yield csv_lines(header)


async def begun[Part](parts: AsyncGenerator[Part]) -> AsyncIterator[Part]:
    """Return the same parts, the first of which is there already: what prevents the first is raised here."""
    first = await anext(parts, None)

    async def rest() -> AsyncIterator[Part]:
        if first is not None:
            yield first
        async for part in parts:
            yield part

    return rest()
