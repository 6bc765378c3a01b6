"""Packages import only from packages below them; the order is written down here once."""

from __future__ import annotations

import ast
from pathlib import Path

import hotrow

SOURCE = Path(hotrow.__file__).parent

LAYERS = (
    {
        "errors",
        "units",
        "types",
        "config",
        "files",
        "memory",
        "descriptors",
        "progress",
        "interrupt",
        "version",
    },
    {"kernels", "metrics", "scheduling"},
    {"data", "layers", "embedding"},
    {"models", "synth"},
    {"artifact"},
    {"load"},
    {"train", "serving"},
    {"report", "shrink"},
    {"tune"},
    {"cli"},
    {"demo"},
    {"__init__", "__main__"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
SIBLINGS_ALLOWED = {("embedding", "layers")}
"""Pairs on the same level of which the first may import the second."""

OPTIONAL = {"polars", "starlette", "uvicorn", "tensorboard", "grpc", "google", "prometheus_client"}
"""Libraries that training and the kernels must work without, so none is imported at load."""


def _modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _package(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imports(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "hotrow":
                found += [(f"hotrow.{alias.name}", node.lineno) for alias in node.names]
            else:
                found.append((node.module, node.lineno))
    return found


def test_every_package_has_its_place() -> None:
    assert {_package(path) for path in _modules()} <= set(LEVEL)


def test_packages_import_only_from_below() -> None:
    wrong = []
    for path in _modules():
        package = _package(path)
        for module, line in _imports(ast.parse(path.read_text())):
            parts = module.split(".")
            if parts[0] != "hotrow" or len(parts) < 2 or parts[1] in (package, "_kernels"):
                continue
            above = LEVEL[parts[1]] >= LEVEL[package] and LEVEL[package] > 0
            if above and (package, parts[1]) not in SIBLINGS_ALLOWED:
                wrong.append(f"{path.relative_to(SOURCE)}:{line} imports {module}")
    assert wrong == []


def test_only_bindings_import_the_compiled_module() -> None:
    users = {
        path.relative_to(SOURCE).parts[0]
        for path in _modules()
        if any(module == "hotrow._kernels" for module, _ in _imports(ast.parse(path.read_text())))
    }
    assert users <= {"kernels"}


def test_optional_libraries_are_not_imported_at_load() -> None:
    wrong = []
    for path in _modules():
        if _package(path) == "serving":
            continue
        tree = ast.parse(path.read_text())
        typing_only = {
            id(child)
            for node in tree.body
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            for child in ast.walk(node)
        }
        for node in ast.iter_child_nodes(tree):
            for child in [node] if id(node) not in typing_only else []:
                wrong += [
                    f"{path.relative_to(SOURCE)}:{line} imports {module}"
                    for module, line in _imports_at_load(child)
                    if module.split(".")[0] in OPTIONAL
                ]
    assert wrong == []


def _imports_at_load(node: ast.AST) -> list[tuple[str, int]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _imports(ast.Module(body=[node], type_ignores=[]))
    if isinstance(node, ast.Try | ast.If | ast.With):
        return [found for child in node.body for found in _imports_at_load(child)]
    return []
