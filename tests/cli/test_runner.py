"""What commands run on."""

import asyncio
import subprocess
import sys

import pytest

from entrypoints.cli.runner import injected, injected_as_is
from tests.cli.conftest import Portico, environ_of


@pytest.mark.sqlite
@pytest.mark.linux  # where uvloop is
def test_runs_on_the_loop_that_serves(command: Portico) -> None:
    """A lost connection is an error that is understood there, and a bug of asyncpg's on asyncio's own."""
    kinds: list[str] = []

    async def look() -> None:
        kinds.append(type(asyncio.get_running_loop()).__module__)

    assert command("database", "upgrade").code == 0
    injected(look)()
    injected_as_is(look)()

    assert kinds == ["uvloop", "uvloop"]


@pytest.mark.sqlite
def test_runs_where_there_is_no_other_loop(command: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert command("database", "upgrade").code == 0


@pytest.mark.process
def test_loads_no_loop_to_show_the_help() -> None:
    program = (
        "import sys; from entrypoints.cli.main import run; run(['--help']); assert 'asyncio' not in sys.modules; "
        "run(['items', 'import', '--help']); assert not {'uvloop', 'sqlalchemy'} & set(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], env=environ_of(), capture_output=True, check=False)  # noqa: S603

    assert done.returncode == 0, done.stderr
