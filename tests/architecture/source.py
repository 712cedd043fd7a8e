"""The source, read as syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("domain", "application", "adapters", "entrypoints")


@dataclass(frozen=True)
class Module:
    """One file of the source, read and walked through once, when a test first asks."""

    name: str
    path: Path

    @property
    def layer(self) -> str:
        """`domain`, `application`, `adapters` or `entrypoints`."""
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        return self.name

    def is_in(self, *packages: str) -> bool:
        """Tell whether it is one of these packages or within."""
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of its tree."""
        return list(ast.walk(self.tree))

    def roots(self) -> set[str]:
        """Return the top-level packages that it imports."""
        return {name.partition(".")[0] for name in self.imports()}

    def imports(self) -> Iterator[str]:
        """Return the full name of each module that it imports, wherever in the file."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self} has a relative import"
                yield node.module or ""

    @cached_property
    def names(self) -> list[tuple[int, str]]:
        """Each dotted name that it uses, such as `datetime.now`, with its line."""
        return [(node.lineno, _text(node)) for node in self.nodes if isinstance(node, ast.Name | ast.Attribute)]


def _text(node: ast.expr) -> str:
    """Return what `ast.unparse` returns, which is slow for the names that most of a source consists of."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(ast.Name() | ast.Attribute() as value, name):
            return f"{_text(value)}.{name}"
        case _:
            return ast.unparse(node)


def _module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path)


MODULES = [_module(path) for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
