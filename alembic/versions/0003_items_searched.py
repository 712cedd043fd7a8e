"""Items that are found by what they say and by their tags, and listed whoever owns them.

Revision ID: 0003
Revises: 0002

Each database has what it searches best with. PostgreSQL: arrays and trigrams under GIN indexes; where the extension
`pg_trgm` can't be had, searching goes without its index. SQLite: a table of tags and a full-text index of trigrams,
both kept by triggers. These name an item by its rowid, which is stable only as a column of its own: `search_row`.
"""

import logging
import unicodedata

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BATCH = 1_000
SORTED_BY = ("created_at", "updated_at", "title")
INSUFFICIENT_PRIVILEGE = "42501"

log = logging.getLogger("alembic.runtime.migration")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        upgrade_postgresql()
    else:
        upgrade_sqlite()


def downgrade() -> None:
    for column in SORTED_BY:
        op.drop_index(f"ix_items_{column}_id", "items")
    if op.get_bind().dialect.name == "postgresql":
        downgrade_postgresql()
    else:
        downgrade_sqlite()


def fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def search_text(title: str, description: str | None) -> str:
    return fold(f"{title}\x1f{description or ''}")


# --- PostgreSQL


def upgrade_postgresql() -> None:
    connection = op.get_bind()
    op.add_column("items", sa.Column("search_text", sa.Text(collation="C")))
    last = None
    while True:
        behind = "" if last is None else "WHERE id > :last"
        some = sa.text(f"SELECT id, title, description FROM items {behind} ORDER BY id LIMIT {BATCH}")  # noqa: S608
        rows = connection.execute(some, {} if last is None else {"last": last}).all()
        if not rows:
            break
        connection.execute(
            sa.text("UPDATE items SET search_text = :search_text WHERE id = :id"),
            [{"id": row.id, "search_text": search_text(row.title, row.description)} for row in rows],
        )
        last = rows[-1].id
    op.alter_column("items", "search_text", nullable=False)

    op.alter_column("items", "tags", new_column_name="json_tags")
    op.add_column("items", sa.Column("tags", postgresql.ARRAY(sa.String(50))))
    op.execute("UPDATE items SET tags = ARRAY(SELECT json_array_elements_text(json_tags))")
    op.alter_column("items", "tags", nullable=False)
    op.drop_column("items", "json_tags")
    op.create_index("ix_items_tags", "items", ["tags"], postgresql_using="gin")
    for column in SORTED_BY:
        # NULLS FIRST, though there are none: in an order of its own, this index never serves the lists of an owner.
        # PostgreSQL would take it for them where somebody owns much, and walk past what is not theirs.
        op.create_index(f"ix_items_{column}_id", "items", [sa.text(f"{column} NULLS FIRST"), "id"])

    if has_trigrams(connection):
        op.create_index(
            "ix_items_search_text",
            "items",
            ["search_text"],
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        )


def has_trigrams(connection: sa.Connection) -> bool:
    available = sa.text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
    if not connection.execute(available).scalar_one():
        log.warning("Searching items goes without an index: this PostgreSQL does not have the extension pg_trgm")
        return False
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
            raise
        log.warning("Searching items goes without an index: this role may not create the extension pg_trgm")
        return False
    return True


def downgrade_postgresql() -> None:
    op.execute("DROP INDEX IF EXISTS ix_items_search_text")
    op.drop_index("ix_items_tags", "items")
    op.alter_column("items", "tags", new_column_name="array_tags")
    op.add_column("items", sa.Column("tags", sa.JSON()))
    op.execute("UPDATE items SET tags = array_to_json(array_tags)")
    op.alter_column("items", "tags", nullable=False)
    op.drop_column("items", "array_tags")
    op.drop_column("items", "search_text")


# --- SQLite

COLUMNS = "id, owner_id, title, description, tags, created_at, updated_at, version"
SEARCH = (
    """
    CREATE TABLE item_tags (
        tag VARCHAR(50) NOT NULL,
        owner_id CHAR(32) NOT NULL,
        search_row INTEGER NOT NULL,
        PRIMARY KEY (tag, owner_id, search_row)
    ) WITHOUT ROWID
    """,
    """
    CREATE VIRTUAL TABLE items_search USING fts5(
        search_text,
        content = 'items', content_rowid = 'search_row',
        tokenize = 'trigram case_sensitive 1', detail = none, columnsize = 0
    )
    """,
    """
    CREATE TRIGGER items_search_inserted AFTER INSERT ON items BEGIN
        INSERT INTO items_search (rowid, search_text) VALUES (new.search_row, new.search_text);
        INSERT INTO item_tags SELECT value, new.owner_id, new.search_row FROM json_each(new.tags);
    END
    """,
    """
    CREATE TRIGGER items_search_deleted AFTER DELETE ON items BEGIN
        INSERT INTO items_search (items_search, rowid, search_text)
            VALUES ('delete', old.search_row, old.search_text);
        DELETE FROM item_tags
            WHERE owner_id = old.owner_id AND search_row = old.search_row
            AND tag IN (SELECT value FROM json_each(old.tags));
    END
    """,
    """
    CREATE TRIGGER items_search_text_updated AFTER UPDATE OF search_text ON items
    WHEN old.search_text <> new.search_text BEGIN
        INSERT INTO items_search (items_search, rowid, search_text)
            VALUES ('delete', old.search_row, old.search_text);
        INSERT INTO items_search (rowid, search_text) VALUES (new.search_row, new.search_text);
    END
    """,
    """
    CREATE TRIGGER items_tags_updated AFTER UPDATE OF tags ON items
    WHEN old.tags <> new.tags BEGIN
        DELETE FROM item_tags
            WHERE owner_id = old.owner_id AND search_row = old.search_row
            AND tag IN (SELECT value FROM json_each(old.tags));
        INSERT INTO item_tags SELECT value, new.owner_id, new.search_row FROM json_each(new.tags);
    END
    """,
)


def upgrade_sqlite() -> None:
    connection = op.get_bind()
    drop_sorting_indexes()
    op.rename_table("items", "old_items")
    op.create_table(
        "items",
        sa.Column("search_row", sa.Integer(), nullable=False),
        *item_columns(),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("search_row", name="pk_items"),
        sa.UniqueConstraint("id", name="uq_items_id"),
        owner_reference(),
    )
    for statement in SEARCH:
        connection.execute(sa.text(statement))
    last = ""
    add = sa.text(
        f"INSERT INTO items ({COLUMNS}, search_text) SELECT {COLUMNS}, :search_text FROM old_items WHERE id = :id"  # noqa: S608
    )
    some = sa.text(f"SELECT id, title, description FROM old_items WHERE id > :last ORDER BY id LIMIT {BATCH}")  # noqa: S608
    while rows := connection.execute(some, {"last": last}).all():
        connection.execute(
            add, [{"id": row.id, "search_text": search_text(row.title, row.description)} for row in rows]
        )
        last = rows[-1].id
    op.drop_table("old_items")
    create_sorting_indexes()
    for column in SORTED_BY:
        op.create_index(f"ix_items_{column}_id", "items", [column, "id"])


def downgrade_sqlite() -> None:
    drop_sorting_indexes()
    op.rename_table("items", "new_items")
    op.create_table("items", *item_columns(), sa.PrimaryKeyConstraint("id", name="pk_items"), owner_reference())
    op.execute(f"INSERT INTO items ({COLUMNS}) SELECT {COLUMNS} FROM new_items")  # noqa: S608
    op.drop_table("items_search")
    op.drop_table("item_tags")
    op.drop_table("new_items")
    create_sorting_indexes()


def item_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    ]


def owner_reference() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_items_owner_id_users", ondelete="CASCADE")


def create_sorting_indexes() -> None:
    for column in SORTED_BY:
        op.create_index(f"ix_items_owner_id_{column}_id", "items", ["owner_id", column, "id"])


def drop_sorting_indexes() -> None:
    for column in SORTED_BY:
        op.drop_index(f"ix_items_owner_id_{column}_id", "items")
