"""Files of items, and what they are imported with."""

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Outcome, Portico


def a_file(folder: Path, *rows: dict[str, Any] | str | bytes, name: str = "items.ndjson") -> str:
    """Write a file of these lines; return its name."""
    lines = [json.dumps(row) if isinstance(row, dict) else row for row in rows]
    (folder / name).write_bytes(
        b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    )
    return name


def import_file(portico: Portico, owner: str, file: str, *options: str, stdin: bytes = b"") -> Outcome:
    return portico("items", "import", file, "--owner", owner, "--json", *options, stdin=stdin)


def titles(portico: Portico, owner: str) -> list[str]:
    listed = portico("items", "list", "--owner", owner, "--sort", "title", "--json").data
    return [item["title"] for item in listed]
