"""Layers point inwards, and each knows only what it may. `lint-imports` says the same, and more about features."""

import ast
import sys

from tests.architecture.source import MODULES, ROOT

MAY_IMPORT = {
    "domain": {"domain"} | sys.stdlib_module_names,
    "application": {"domain", "application"} | sys.stdlib_module_names,
}
"""Everything that the core may import: a list of what is allowed, so that new libraries are not."""

NEVER_IMPORT = {
    "adapters": {"entrypoints", "litestar", "dishka", "click", "rich", "rich_click", "granian"},
    "entrypoints.http": {"adapters", "click", "rich", "rich_click", "granian"},
    "entrypoints.cli": {"adapters"},
    "entrypoints.providers": {"litestar", "click", "rich", "rich_click", "granian"},
    "entrypoints.container": {"litestar", "click", "rich", "rich_click", "granian"},
    "entrypoints.settings": {"adapters", "litestar", "dishka", "click", "rich", "rich_click", "granian"},
    "entrypoints.setting_values": {"adapters", "litestar", "dishka", "click", "rich", "rich_click", "granian"},
}


def test_there_is_something_to_look_at() -> None:
    assert {module.layer for module in MODULES} == {"domain", "application", "adapters", "entrypoints"}


def test_the_core_imports_nothing_but_itself_and_the_standard_library() -> None:
    for module in MODULES:
        if module.layer in MAY_IMPORT:
            assert module.roots() - MAY_IMPORT[module.layer] == set(), module


def test_nobody_imports_what_is_none_of_their_business() -> None:
    """Above all: the container and the web are known in entrypoints only, and HTTP and CLI know ports, not adapters."""
    for module in MODULES:
        for package, forbidden in NEVER_IMPORT.items():
            if module.is_in(package):
                assert module.roots() & forbidden == set(), module


def test_the_web_and_the_command_line_do_not_know_each_other() -> None:
    for module in MODULES:
        if module.is_in("entrypoints.http"):
            assert not [name for name in module.imports() if name.startswith("entrypoints.cli")], module


def test_the_domain_asks_nobody_for_anything() -> None:
    for module in MODULES:
        if module.layer == "domain":
            assert not [node for node in module.nodes if isinstance(node, ast.AsyncFunctionDef | ast.Await)], module
            assert "Protocol" not in {name for _, name in module.names}, module


def test_imports_are_for_real() -> None:
    """The container and Litestar read annotations at run time."""
    for module in MODULES:
        assert "TYPE_CHECKING" not in {name for _, name in module.names}, module


def test_imports_are_at_the_top() -> None:
    """Only what a start would take of time or memory excuses a late import, of what most processes never need."""
    late = {
        "adapters.mail.letters",
        "adapters.sql.keyring",
        "adapters.sql.schema",
        "entrypoints.container",
        "entrypoints.providers.mail",
    }
    for module in MODULES:
        if not module.is_in("entrypoints.cli") and module.name not in late:
            imports = [node for node in module.nodes if isinstance(node, ast.Import | ast.ImportFrom)]
            assert [node.lineno for node in imports if node not in module.tree.body] == [], module


def test_a_package_says_its_rule_and_nothing_else() -> None:
    for module in MODULES:
        # Alembic has to see all tables, so their package imports them.
        if module.path.name == "__init__.py" and module.name != "adapters.sql":
            assert len(module.tree.body) == 1, module
            assert ast.get_docstring(module.tree), module


WHERE_FEATURES_MEET = {
    "entrypoints.providers.memory",
    "entrypoints.providers.sql",
    "entrypoints.providers.use_cases",
    "entrypoints.http.app",
    "adapters.sql.migrations",
    "application.auth.export",
    "entrypoints.cli.refused_rows",
}
"""Each names items in a line or two, among others of its kind."""


def test_what_is_of_items_is_found_by_its_name() -> None:
    """As the README says, so that whoever follows the example, or removes it, overlooks nothing."""
    nameless = {
        module.name
        for module in MODULES
        if "item" not in str(module.path.relative_to(ROOT)) and any("item" in name for name in module.imports())
    }

    assert "`git ls-files | grep item`" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert nameless - WHERE_FEATURES_MEET == set()


def test_the_migrations_are_no_package() -> None:
    """An `__init__.py` in `alembic/` would shadow the library."""
    assert not list((ROOT / "alembic").rglob("__init__.py"))
