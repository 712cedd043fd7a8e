"""Items over HTTP."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

from dishka.integrations.litestar import FromDishka
from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from application.auth.identify import Identify
from application.items.bulk import AddItems, ExportItems, ImportedBatch, ImportedRow, ImportItems
from application.items.drafts import Row
from application.items.ports import ItemFilter, ItemSort
from application.items.use_cases import AddItem, DeleteItem, EditItem, ListItems, ListItemsOfAnybody, ShowItem
from application.items.views import ItemView
from application.paging import PAGE_DEFAULT
from domain.access import Actor
from domain.errors import FieldError, Invalid, Unauthenticated, Unavailable
from domain.ids import ItemId, UserId
from domain.items.errors import ItemNotFound
from domain.items.item import TAG_MAX, TITLE_MAX
from entrypoints.decoding import pointer_of
from entrypoints.http.answers import Answer
from entrypoints.http.bodies import documented_as, unset_if_absent
from entrypoints.http.conditional import answer, precondition_of
from entrypoints.http.controllers import InjectedController
from entrypoints.http.documentation import SHOWS_VERSION, gives_stream, raises, takes_stream
from entrypoints.http.idempotency import IDEMPOTENCY, Idempotency
from entrypoints.http.identity import while_welcome
from entrypoints.http.moments import Moment, moment_of
from entrypoints.http.paging import Cursor, Cursors, Limit, PageBody, answer_page, context_of, parse_order, sorted_by
from entrypoints.http.requests import decode_json
from entrypoints.http.streams import streamed_format
from entrypoints.item_rows import (
    DescriptionText,
    ItemRow,
    NewItemBody,
    RowFormat,
    TagTexts,
    TitleText,
    begun,
    item_reader,
    written_items,
)
from entrypoints.streams.rows import ReadRow, read_rows

BATCH_MAX = 1_000
ERRORS_MAX = 100
"""Errors in the report of an import."""


class NewItemsBody(Struct, forbid_unknown_fields=True):
    """New items. They are read one by one, so that each bad one can be pointed at."""

    items: Annotated[list[Annotated[Raw, documented_as(NewItemBody)]], Meta(max_length=BATCH_MAX)]


class ItemsBody(Struct):
    """Items, in the order in which they were sent."""

    data: list[ItemView]


class RowError(Struct):
    """A rule that a row breaks: in which line it begins, where in the row as a JSON pointer, and which rule."""

    line: int
    pointer: str
    detail: str


class ImportReport(Struct):
    """What became of the rows of a file, and the first errors."""

    created: int = 0
    failed: int = 0
    errors: list[RowError] = []

    def add(self, batch: ImportedBatch) -> None:
        """Count what became of some more rows."""
        self.created += batch.created
        self.failed += len(batch.refused)
        errors = (RowError(row.line, pointer_of(error), error.detail) for row in batch.refused for error in row.errors)
        self.errors += islice(errors, ERRORS_MAX - len(self.errors))


class ItemPatchBody(Struct, forbid_unknown_fields=True):
    """A change of an item: what is absent stays, null clears the description."""

    title: TitleText | UnsetType = UNSET
    description: DescriptionText | UnsetType | None = UNSET
    tags: TagTexts | UnsetType = UNSET


_ANYBODY = "any"
_Q = "Only with this in the title or the description, whatever the case. `%` and `_` are themselves."
_TAG = "Only with exactly this tag."
_OWNER = f"For administrators: only of this account, or `{_ANYBODY}` for those of all."


def _row_of(raw: Raw) -> Row:
    try:
        body: NewItemBody = decode_json(raw, NewItemBody)
    except Invalid as invalid:
        return invalid
    return body.draft()


async def _imported(chunks: AsyncIterable[Sequence[ReadRow[ItemRow]]]) -> AsyncGenerator[list[ImportedRow]]:
    async for rows in chunks:
        yield [
            ImportedRow(row.line, row.body if isinstance(row.body, Invalid) else row.body.draft(), size=len(row.raw))
            for row in rows
        ]


def _parse_owner(text: str) -> UserId | None:
    if text == _ANYBODY:
        return None
    try:
        return UserId(UUID(text))
    except ValueError:
        raise Invalid(FieldError("query/owner_id", f"must be the id of an account, or {_ANYBODY}")) from None


class ItemController(InjectedController):
    """`/items`."""

    path = "/items"
    tags = ("items",)

    @post(operation_id="addItem", opt=raises(*IDEMPOTENCY) | SHOWS_VERSION)
    async def add_item(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[NewItemBody],
        actor: FromDishka[Actor],
        add_item: FromDishka[AddItem],
        idempotency: FromDishka[Idempotency],
    ) -> Response[ItemView]:
        """Add an item to one's own."""

        async def add() -> Response[ItemView]:
            item = await add_item(actor, title=data.title, description=data.description, tags=data.tags)
            return answer(request, item, status=HTTPStatus.CREATED, location=f"/api/v1/items/{item.id}")

        return await idempotency.once(request, data, add, caller=actor)

    @post("/batch", operation_id="addItems", opt=raises(*IDEMPOTENCY))
    async def add_items(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[NewItemsBody],
        actor: FromDishka[Actor],
        add_items: FromDishka[AddItems],
        idempotency: FromDishka[Idempotency],
    ) -> Response[ItemsBody]:
        """Add up to 1,000 items to one's own: all, or with a bad one among them none."""
        rows = [_row_of(row) for row in data.items]

        async def add() -> Response[ItemsBody]:
            return Answer(ItemsBody(await add_items(actor, rows)), status_code=HTTPStatus.CREATED)

        return await idempotency.once(request, rows, add, caller=actor)

    @post(
        "/import",
        operation_id="importItems",
        status_code=HTTPStatus.OK,
        request_max_body_size=None,
        opt=raises(Invalid) | takes_stream(*RowFormat),
    )
    async def import_items(
        self,
        request: Request[Any, Any, Any],
        actor: FromDishka[Actor],
        identify: FromDishka[Identify],
        import_items: FromDishka[ImportItems],
    ) -> ImportReport:
        """Add the items of a file of any size to one's own, and say which rows are bad.

        The good rows are stored as they come, 1,000 at a time, whatever becomes of the rest. A row may have what an
        export says beside title, description and tags; an imported item is another one all the same.
        """
        reader = item_reader(streamed_format(request, RowFormat))
        rows = _imported(while_welcome(read_rows(request.stream(), reader), request, actor, identify))
        report = ImportReport()
        try:
            async for batch in await import_items(actor, rows):
                report.add(batch)
        except (Unavailable, Unauthenticated) as error:
            raise type(error)(f"{error} {report.created} items of the file were stored before.") from error.__cause__
        return report

    @get("/export", operation_id="exportItems", opt=gives_stream(*RowFormat))
    async def export_items(
        self,
        actor: FromDishka[Actor],
        export_items: FromDishka[ExportItems],
        format: Annotated[RowFormat, QueryParameter()] = RowFormat.NDJSON,  # noqa: A002 - its name on the wire
    ) -> Stream:
        """Give out all of one's own items, the oldest first."""
        parts = await begun(written_items(await export_items(actor), format))
        return Stream(
            parts,
            media_type=format.media_type,
            headers={"Content-Disposition": f'attachment; filename="portico-items.{format}"'},
        )

    @get(operation_id="listItems")
    async def list_items(
        self,
        request: Request[Any, Any, Any],
        actor: FromDishka[Actor],
        list_items: FromDishka[ListItems],
        list_items_of_anybody: FromDishka[ListItemsOfAnybody],
        cursors: FromDishka[Cursors],
        limit: Limit = PAGE_DEFAULT,
        cursor: Cursor = None,
        sort: Annotated[str, sorted_by(ItemSort)] = "-created_at",
        q: Annotated[str | None, QueryParameter(min_length=1, max_length=TITLE_MAX, description=_Q)] = None,
        tag: Annotated[str | None, QueryParameter(min_length=1, max_length=TAG_MAX, description=_TAG)] = None,
        created_after: Moment = None,
        created_before: Moment = None,
        owner_id: Annotated[str | None, QueryParameter(max_length=36, description=_OWNER)] = None,
    ) -> Response[PageBody[ItemView]]:
        """List one's own items, the newest first; for administrators, those of others too."""
        which = ItemFilter(
            q=q,
            tag=tag,
            created_after=moment_of(created_after, parameter="created_after"),
            created_before=moment_of(created_before, parameter="created_before"),
        )
        order = parse_order(sort, ItemSort)
        owner = actor.user_id if owner_id is None else _parse_owner(owner_id)
        context = context_of(request, owner, which, order)
        after = None if cursor is None else cursors.read(cursor, context=context)
        if owner_id is None:
            page = await list_items(actor, which, order=order, limit=limit, after=after)
        else:
            page = await list_items_of_anybody(actor, owner, which, order=order, limit=limit, after=after)
        return answer_page(request, page, cursors, context=context)

    @get("/{item_id:uuid}", operation_id="showItem", opt=raises(ItemNotFound) | SHOWS_VERSION)
    async def show_item(
        self,
        request: Request[Any, Any, Any],
        item_id: FromPath[UUID],
        actor: FromDishka[Actor],
        show_item: FromDishka[ShowItem],
    ) -> Response[ItemView]:
        """Show one of one's own items."""
        return answer(request, await show_item(actor, ItemId(item_id)))

    @patch("/{item_id:uuid}", operation_id="editItem", opt=raises(ItemNotFound) | SHOWS_VERSION)
    async def edit_item(
        self,
        request: Request[Any, Any, Any],
        item_id: FromPath[UUID],
        data: JSONBody[ItemPatchBody],
        actor: FromDishka[Actor],
        edit_item: FromDishka[EditItem],
    ) -> Response[ItemView]:
        """Change one of one's own items."""
        item = await edit_item(
            actor,
            ItemId(item_id),
            title=unset_if_absent(data.title),
            description=unset_if_absent(data.description),
            tags=unset_if_absent(data.tags),
            precondition=precondition_of(request),
        )
        return answer(request, item)

    @delete("/{item_id:uuid}", operation_id="deleteItem", opt=raises(ItemNotFound) | SHOWS_VERSION)
    async def delete_item(
        self,
        request: Request[Any, Any, Any],
        item_id: FromPath[UUID],
        actor: FromDishka[Actor],
        delete_item: FromDishka[DeleteItem],
    ) -> None:
        """Delete one of one's own items."""
        await delete_item(actor, ItemId(item_id), precondition=precondition_of(request))
