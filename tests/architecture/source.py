"""The source, read as syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("domain", "application", "adapters", "entrypoints")


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the source."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def layer(self) -> str:
        """`domain`, `application`, `adapters` or `entrypoints`."""
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        return self.name

    def is_in(self, *packages: str) -> bool:
        """Tell whether it is one of these packages or within."""
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)

    def nodes(self) -> Iterator[ast.AST]:
        """Return every node of its tree."""
        return ast.walk(self.tree)

    def roots(self) -> set[str]:
        """Return the top-level packages that it imports."""
        return {name.partition(".")[0] for name in self.imports()}

    def imports(self) -> Iterator[str]:
        """Return the full name of each module that it imports, wherever in the file."""
        for node in self.nodes():
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self} has a relative import"
                yield node.module or ""

    def names(self) -> Iterator[tuple[int, str]]:
        """Return each dotted name that it uses, such as `datetime.now`, with its line."""
        for node in self.nodes():
            if isinstance(node, ast.Name | ast.Attribute):
                yield node.lineno, ast.unparse(node)


def _module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, ast.parse(path.read_text(encoding="utf-8")))


MODULES = [_module(path) for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
