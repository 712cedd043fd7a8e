"""Conventions that matter, each with its reason."""

import ast
import re

from tests.architecture.source import MODULES

CLOCKS = r"(.*\.)?(datetime|date)\.(now|utcnow|today)|time\.(time|monotonic|perf_counter)(_ns)?"
RANDOMNESS = r"random(\..*)?|secrets(\..*)?|os\.urandom|(uuid\.)?uuid\d|uuid_utils(\..*)?"
ENVIRONMENT = r"(os\.)?(environ|getenv)(\..*)?|sys\.argv"
GUESSABLE_OR_BROKEN = r"random(\..*)?|(.*\.)?(uuid1|uuid4|md5|sha1|MD5|SHA1|pickle|marshal)"
RUNS_SQL = r"(sa\.|sqlalchemy\.)?(text|DDL|literal_column)|.*\.exec_driver_sql"
CATCHES_ALL = r"\b(Base)?Exception\b"


def uses(pattern: str, *packages: str, but: tuple[str, ...] = ()) -> list[str]:
    """Return where names of this kind are used in these packages, all of them by default."""
    return [
        f"{module.path}:{line}: {name}"
        for module in MODULES
        if (not packages or module.is_in(*packages)) and not module.is_in(*but)
        for line, name in module.names
        if re.fullmatch(pattern, name)
    ]


def test_the_core_has_no_clock_randomness_or_environment() -> None:
    """`now` and new ids are arguments or ports, so that every test can say when it takes place."""
    assert uses(f"{CLOCKS}|{RANDOMNESS}|{ENVIRONMENT}", "domain", "application") == []


def test_one_adapter_reads_the_clock() -> None:
    """Whatever else did would not stand still in tests."""
    assert uses(CLOCKS, "adapters", "entrypoints.providers", but=("adapters.clock",)) == []


def test_only_the_settings_read_the_environment() -> None:
    """A variable that is read elsewhere is neither documented nor checked at the start."""
    assert uses(ENVIRONMENT, but=("entrypoints.settings", "entrypoints.logs", "entrypoints.cli")) == []


def test_nothing_guessable_or_broken_is_used() -> None:
    """Ids are UUIDv7, secrets come from the operating system, hashes are of the SHA-2 family."""
    assert uses(GUESSABLE_OR_BROKEN) == []


def test_commits_are_made_in_use_cases() -> None:
    """One use case, one unit, one commit; adapters commit what is a unit of its own, entrypoints and domain nothing."""
    assert uses(r".*\.commit", "domain", "entrypoints") == []


def test_prints_on_the_command_line_only() -> None:
    """Everything else has a log."""
    assert uses("print", but=("entrypoints.cli",)) == []


def test_only_the_edge_catches_everything() -> None:
    """Anticipated failures are DomainErrors; anything else is a bug, logged once at the edge.

    Whoever raises it again has only watched.
    """
    caught = [
        f"{module.path}:{node.lineno}"
        for module in MODULES
        if module.layer != "entrypoints"
        for node in module.nodes
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(CATCHES_ALL, ast.unparse(node.type)))
        and ast.unparse(node.body[-1]) != "raise"
    ]

    assert caught == []


def test_no_sql_is_put_together_from_strings() -> None:
    """Values are bound parameters, and a text is a constant that can be read where it is run."""
    composed = [
        f"{module.path}:{node.lineno}: {ast.unparse(node)}"
        for module in MODULES
        for node in module.nodes
        if isinstance(node, ast.Call)
        and re.fullmatch(RUNS_SQL, ast.unparse(node.func))
        and not (node.args and isinstance(node.args[0], ast.Constant))
    ]

    assert composed == []


def test_a_use_case_asks_for_the_permission_first() -> None:
    """Before the first look-up, so that nobody learns what exists by asking for what they may not see."""
    for module in MODULES:
        for node in module.nodes:
            if module.layer == "application" and isinstance(node, ast.AsyncFunctionDef) and node.name == "__call__":
                arguments = [argument.arg for argument in node.args.args]
                if "actor" in arguments:
                    assert arguments[:2] == ["self", "actor"], module
                    first = node.body[1] if ast.get_docstring(node) else node.body[0]
                    assert ast.unparse(first).startswith("actor.require("), f"{module.path}:{node.lineno}"
