"""`portico items import` and `export`: what is read and written, and what is refused."""

import json
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.builders import an_email
from tests.cli.conftest import Portico, Shell, an_owner
from tests.cli.item_files import a_file, import_file, titles

STORED = pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
ON_A_FILE = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)

MILK: dict[str, Any] = {"title": "Milk", "description": "Two litres", "tags": ["shop"]}
BREAD: dict[str, Any] = {"title": "Bread"}
BEER: dict[str, Any] = {"title": "Beer", "tags": ["=x", "a,b"]}


def refused_rows(path: Path) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- misuse, and files that are no good


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("no-such-file.csv",), "'no-such-file.csv' does not exist"),
        ((".",), "'.' is a directory"),
        (("items.txt",), "Give --format: items.txt does not end in .ndjson, .jsonl, .csv."),
        (("items.csv", "--format", "xml"), "'xml' is not one of 'ndjson', 'csv'"),
        (("items.csv", "--refused", "./items.csv"), "can't be written to the file that is read"),
        (("items.csv", "--refused", "."), "'.' is a directory"),
        ((), "Missing argument 'FILE'"),
    ],
)
def test_says_what_can_not_be_imported(
    command: Portico, folder: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    a_file(folder, name="items.txt")
    a_file(folder, name="items.csv")

    misused = command("items", "import", *arguments, "--owner", an_email())

    assert (misused.code, misused.out) == (2, "")
    assert complaint in misused.err


@ON_A_FILE
@pytest.mark.process
@pytest.mark.parametrize("refused", ["link", "/dev/stdin"])
def test_does_not_write_what_it_refuses_to_what_stdin_reads(shell: Shell, folder: Path, refused: str) -> None:
    file = folder / a_file(folder, {"title": ""})
    content = file.read_bytes()
    (folder / "link").symlink_to(file)

    misused = shell(f"portico items import - --owner {an_email()} --refused {refused} < items.ndjson")

    assert (misused.code, misused.out) == (2, "")
    assert "can't be written to the file that is read" in misused.err
    assert file.read_bytes() == content


@ON_A_FILE
def test_writes_nothing_beside_what_the_process_has_opened(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)
    file = folder / a_file(folder, {"title": ""})

    with file.open("rb") as opened:
        refused = portico("items", "import", f"/dev/fd/{opened.fileno()}", "--format", "ndjson", "--owner", owner)
        assert not Path(f"/dev/fd/{opened.fileno()}.refused").exists()

    assert refused.code == 1
    assert json.loads(refused.err.splitlines()[0])["line"] == 1
    assert sorted(os.listdir(folder)) == ["items.ndjson"]  # noqa: PTH208 - names, not paths


@pytest.mark.parametrize(
    ("file", "complaint"), [(".", "'.' is a directory"), ("items.txt", "Give --format"), ("items", "Give --format")]
)
def test_says_where_nothing_can_be_exported_to(command: Portico, file: str, complaint: str) -> None:
    misused = command("items", "export", file, "--owner", an_email())

    assert (misused.code, misused.out) == (2, "")
    assert complaint in misused.err


@pytest.mark.parametrize("verb", ["import", "export"])
def test_wants_to_know_whose_items(command: Portico, folder: Path, verb: str) -> None:
    assert command("items", verb, a_file(folder, MILK)).code == 2


@ON_A_FILE
@pytest.mark.parametrize("verb", ["import", "export"])
def test_refuses_an_owner_who_does_not_exist(portico: Portico, folder: Path, verb: str) -> None:
    file = a_file(folder, MILK)

    refused = portico("items", verb, file, "--owner", an_email())

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "portico: There is no user with this email address.\n"
    assert json.loads((folder / file).read_text()) == MILK


@ON_A_FILE
@pytest.mark.linux  # which has a file that opens and then can't be read
def test_says_that_a_file_can_not_be_read(portico: Portico) -> None:
    refused = import_file(portico, an_owner(portico), "/proc/self/mem", "--format", "ndjson")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "portico: Can't read /proc/self/mem: Input/output error.\n"


@ON_A_FILE
def test_says_that_a_file_can_not_be_written(portico: Portico) -> None:
    refused = portico("items", "export", "no/such/folder/items.csv", "--owner", an_owner(portico))

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "portico: Can't write no/such/folder/items.csv: No such file or directory.\n"


@ON_A_FILE
@pytest.mark.parametrize("header", ["title,colour", "title,title", b"t\xefitle"])
def test_refuses_a_header_that_it_does_not_know(portico: Portico, folder: Path, header: str | bytes) -> None:
    owner = an_owner(portico)

    refused = import_file(portico, owner, a_file(folder, header, "Milk,white", name="items.csv"))

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("portico: header")
    assert refused.err.count("\n") == 1
    assert titles(portico, owner) == []


@STORED
def test_writes_down_what_it_refuses_and_why(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)
    file = a_file(folder, MILK, {"title": 7}, "", {"title": " "}, b'{"title": "\xff"}', "nonsense", BREAD)

    imported = import_file(portico, owner, file)

    assert imported.code == 1
    assert imported.data == {"created": 2, "known": 0, "failed": 4}
    assert imported.err.splitlines() == [
        "Created 2 items; 0 were there already; 4 rows refused.",
        "portico: 4 rows refused, the first in line 2 (title: must be a text, not a number); see items.ndjson.refused.",
    ]
    assert titles(portico, owner) == ["Bread", "Milk"]
    refused = refused_rows(folder / "items.ndjson.refused")
    assert [(row["line"], row["row"]) for row in refused] == [
        (2, '{"title": 7}'),
        (4, '{"title": " "}'),
        (5, '{"title": "\\xff"}'),
        (6, "nonsense"),
    ]
    assert [[error["pointer"] for error in row["errors"]] for row in refused] == [["/title"], ["/title"], [""], [""]]
    assert all(error["detail"] for row in refused for error in row["errors"])


@STORED
def test_writes_down_rows_of_several_lines_as_they_were(portico: Portico, folder: Path) -> None:
    row = '"Milk\r\nand honey","Two\r\nlitres"\r'
    file = a_file(folder, "title,description\r", row, "Bread,\r", name="items.CSV")

    imported = import_file(portico, an_owner(portico), file, "--refused", "bad.ndjson")

    assert imported.data == {"created": 1, "known": 0, "failed": 1}
    assert "see bad.ndjson" in imported.err
    assert [(row["line"], row["row"]) for row in refused_rows(folder / "bad.ndjson")] == [(2, row.rstrip("\r"))]
    assert not (folder / "items.CSV.refused").exists()


@ON_A_FILE
def test_writes_down_only_what_the_last_import_refused(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)

    many = import_file(portico, owner, a_file(folder, *[{"title": ""}] * 2_500))
    few = import_file(portico, owner, a_file(folder, {"title": ""}, MILK))

    assert [each.data["failed"] for each in (many, few)] == [2_500, 1]
    assert [row["line"] for row in refused_rows(folder / "items.ndjson.refused")] == [1]


@ON_A_FILE
def test_leaves_nothing_of_what_was_refused_when_all_is_good_now(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)
    import_file(portico, owner, a_file(folder, {"title": ""}))

    mended = import_file(portico, owner, a_file(folder, MILK))

    assert mended.code == 0
    assert list(folder.iterdir()) == [folder / "items.ndjson"]


@ON_A_FILE
def test_removes_no_file_that_was_named_and_none_for_an_import_that_does_not_begin(
    portico: Portico, folder: Path
) -> None:
    owner = an_owner(portico)
    file = a_file(folder, MILK)
    for name in ("named", "items.ndjson.refused"):
        (folder / name).write_text("mine")

    import_file(portico, owner, file, "--refused", "named")
    import_file(portico, an_email(), file)

    assert [(folder / name).read_text() for name in ("named", "items.ndjson.refused")] == ["mine", "mine"]


@ON_A_FILE
def test_says_that_it_can_not_remove_what_was_refused_before(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)
    (folder / "items.ndjson.refused").mkdir()

    refused = import_file(portico, owner, a_file(folder, MILK))

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "portico: Can't remove items.ndjson.refused: Is a directory.\n"
    assert titles(portico, owner) == []


@ON_A_FILE
def test_says_how_far_it_came_when_it_can_not_write_down_what_it_refuses(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)

    refused = import_file(portico, owner, a_file(folder, MILK, {"title": ""}), "--refused", "no/such/folder/x")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        "portico: Can't write no/such/folder/x: No such file or directory. Created 1 item; 0 were there already; "
        "1 row refused. What was stored stays; the same command goes on.\n"
    )
    assert titles(portico, owner) == ["Milk"]


# --- what is good


@STORED
@pytest.mark.parametrize("file_format", ["ndjson", "csv"])
def test_imports_what_was_exported(portico: Portico, folder: Path, file_format: str) -> None:
    one, other = an_owner(portico), an_owner(portico)
    import_file(portico, one, a_file(folder, MILK, BREAD, BEER))

    exported = portico("items", "export", f"all.{file_format}", "--owner", one)
    imported = import_file(portico, other, f"all.{file_format}")
    again = import_file(portico, other, f"all.{file_format}")

    def said(owner: str) -> list[tuple[Any, ...]]:
        listed = portico("items", "list", "--owner", owner, "--sort", "title", "--json").data
        return [(item["title"], item["description"], item["tags"]) for item in listed]

    assert (exported.code, exported.out, exported.err) == (0, "", "Exported 3 items.\n")
    assert (imported.code, imported.err) == (0, "Created 3 items; 0 were there already; 0 rows refused.\n")
    assert imported.data == {"created": 3, "known": 0, "failed": 0}
    assert again.data == {"created": 0, "known": 3, "failed": 0}
    assert said(other) == said(one) == [("Beer", None, ["=x", "a,b"]), ("Bread", None, []), ("Milk", *MILK_SAID)]
    assert sorted(os.listdir(folder)) == [f"all.{file_format}", "items.ndjson"]  # noqa: PTH208 - names, not paths


MILK_SAID = ("Two litres", ["shop"])


@STORED
def test_adds_only_what_is_new_of_a_file_that_was_changed(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)

    first = import_file(portico, owner, a_file(folder, MILK, BREAD))
    again = import_file(portico, owner, a_file(folder, BREAD, MILK))
    extended = import_file(portico, owner, a_file(folder, BEER, MILK, {"title": "Rye bread"}))

    assert first.data == {"created": 2, "known": 0, "failed": 0}
    assert again.data == {"created": 0, "known": 2, "failed": 0}
    assert extended.data == {"created": 2, "known": 1, "failed": 0}
    assert titles(portico, owner) == ["Beer", "Bread", "Milk", "Rye bread"]


@STORED
def test_makes_two_items_of_what_is_there_twice(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)

    first = import_file(portico, owner, a_file(folder, MILK, MILK))
    again = import_file(portico, owner, a_file(folder, MILK, MILK, MILK))

    assert [each.data["created"] for each in (first, again)] == [2, 1]
    assert titles(portico, owner) == ["Milk"] * 3


@ON_A_FILE
def test_knows_a_row_again_however_it_is_written(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)

    import_file(portico, owner, a_file(folder, MILK, BREAD))
    as_csv = import_file(
        portico, owner, a_file(folder, "tags,title,description", "shop,Milk,Two litres", ",Bread,", name="items.csv")
    )
    spaced = import_file(portico, owner, a_file(folder, '{ "tags": [], "description": null, "title": "\\u0042read" }'))

    assert [each.data for each in (as_csv, spaced)] == [
        {"created": 0, "known": 2, "failed": 0},
        {"created": 0, "known": 1, "failed": 0},
    ]


@ON_A_FILE
def test_knows_the_items_of_one_export_again_in_another(portico: Portico, folder: Path) -> None:
    one, other = an_owner(portico), an_owner(portico)
    blank = {"title": "Salt", "description": ""}
    import_file(portico, one, a_file(folder, MILK, MILK, BREAD, BEER, blank))
    for file in ("all.ndjson", "all.csv"):
        portico("items", "export", file, "--owner", one)
    milk = portico("items", "list", "--owner", one, "--query", "milk", "--json").data[0]
    portico("items", "edit", milk["id"], "--owner", one, "--title", "Oat milk")
    portico("items", "edit", milk["id"], "--owner", one, "--title", "Milk")
    portico("items", "export", "later.ndjson", "--owner", one)

    imported = [import_file(portico, other, file).data for file in ("all.ndjson", "all.csv", "later.ndjson")]

    assert imported == [{"created": 5, "known": 0, "failed": 0}] + [{"created": 0, "known": 5, "failed": 0}] * 2


@ON_A_FILE
def test_knows_a_row_again_whose_tags_were_said_twice(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)
    import_file(portico, owner, a_file(folder, {"title": "Beer", "tags": ["a", "b", "a"]}))

    again = import_file(portico, owner, a_file(folder, {"title": "Beer", "tags": ["a", "b"]}))
    in_another_order = import_file(portico, owner, a_file(folder, {"title": "Beer", "tags": ["b", "a"]}))

    assert [each.data["created"] for each in (again, in_another_order)] == [0, 1]


@ON_A_FILE
def test_leaves_what_was_changed_since_and_brings_back_what_was_deleted(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)
    file = a_file(folder, MILK, BREAD)
    import_file(portico, owner, file)
    bread, milk = portico("items", "list", "--owner", owner, "--sort", "title", "--json").data
    portico("items", "edit", milk["id"], "--owner", owner, "--title", "Oat milk")
    portico("items", "delete", bread["id"], "--owner", owner)

    again = import_file(portico, owner, file)

    assert again.data == {"created": 1, "known": 1, "failed": 0}
    assert titles(portico, owner) == ["Bread", "Oat milk"]


@STORED
def test_reads_stdin_and_writes_stdout(portico: Portico, folder: Path) -> None:
    one, other = an_owner(portico), an_owner(portico)
    for row in (MILK, BREAD):
        import_file(portico, one, "-", stdin=json.dumps(row).encode())

    as_json = portico("items", "export", "-", "--owner", one)
    as_csv = portico("items", "export", "-", "--owner", one, "--format", "csv")
    imported = import_file(portico, other, "-", "--format", "csv", stdin=as_csv.out.encode())

    assert [json.loads(line)["title"] for line in as_json.out.splitlines()] == ["Milk", "Bread"]
    assert as_csv.err == "Exported 2 items.\n"
    assert imported.data["created"] == 2
    assert list(folder.iterdir()) == []


@ON_A_FILE
def test_writes_what_it_refuses_of_stdin_to_stderr_or_a_file(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)

    told = import_file(portico, owner, "-", stdin=b'{"title": 7}')
    written = import_file(portico, owner, "-", "--refused", "bad", stdin=b'{"title": 7}')

    first, tally, reason = told.err.splitlines()
    assert json.loads(first)["row"] == '{"title": 7}'
    assert (told.code, told.data["failed"]) == (1, 1)
    assert tally.endswith("1 row refused.")
    assert reason == "portico: 1 row refused, the first in line 1 (title: must be a text, not a number)."
    assert written.err.splitlines() == [tally, f"{reason.removesuffix('.')}; see bad."]
    assert refused_rows(folder / "bad") == [json.loads(first)]


@ON_A_FILE
def test_takes_files_from_any_folder_and_from_pipes(
    portico: Portico, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = an_owner(portico)
    file = a_file(folder, MILK, {"title": ""})
    (folder / "inner").mkdir()
    monkeypatch.chdir(folder / "inner")

    import_file(portico, owner, f"../{file}")
    portico("items", "export", "../all.csv", "--owner", owner)
    into_nothing = portico("items", "export", "/dev/null", "--format", "csv", "--owner", owner)

    assert into_nothing.code == 0
    assert not Path("/dev/null").is_file()
    assert sorted(os.listdir(folder)) == ["all.csv", "inner", "items.ndjson", "items.ndjson.refused"]  # noqa: PTH208
    assert os.listdir(folder / "inner") == []  # noqa: PTH208 - names, not paths


@ON_A_FILE
@pytest.mark.parametrize(
    ("name", "content"),
    [("none.ndjson", b""), ("none.csv", b"id,owner_id,title,description,tags,created_at,updated_at,version\r\n")],
)
def test_exports_and_imports_nothing(portico: Portico, folder: Path, name: str, content: bytes) -> None:
    owner = an_owner(portico)

    exported = portico("items", "export", name, "--owner", owner)
    imported = import_file(portico, owner, name)

    assert (exported.code, (folder / name).read_bytes()) == (0, content)
    assert (imported.code, imported.data) == (0, {"created": 0, "known": 0, "failed": 0})


@ON_A_FILE
def test_leaves_a_file_as_it_was_when_an_export_fails_half_way(portico: Portico, folder: Path) -> None:
    owner = an_owner(portico)
    file = a_file(folder, *[{"title": "Milk", "description": "x" * 1_000}] * 300)
    import_file(portico, owner, file)
    old = (folder / file).read_bytes()

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        failed = portico("items", "export", file, "--owner", owner)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (failed.code, failed.err) == (1, "portico: Can't write items.ndjson: File too large.\n")
    assert (folder / file).read_bytes() == old
    assert list(folder.iterdir()) == [folder / file]
