"""The arrow rules of ARCHITECTURE.md, read from the code.

Arrows point inward: the core imports neither adapters nor the local server; those import the core
and themselves, never each other. TensorFlow is imported in the runtime alone.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "cloudserve": "cloudserve",
    "adapters": "cloudserve.adapters",
    "local_server": "cloudserve.local_server",
    "templates": "cloudserve.templates",
}
OUTER = ("cloudserve.adapters", "cloudserve.local_server")
# Modules that a command loads before it knows what it will need.
HEAVY = {"tensorflow", "numpy", "boto3", "botocore", "googleapiclient", "grpc", "requests"}


def sources(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def module_name(file):
    folder, *inner = file.relative_to(ROOT).with_suffix("").parts
    name = ".".join([FOLDERS[folder], *inner])
    return name.removesuffix(".__init__")


def imports(file, *, top_level=False):
    """Yield the absolute names a file imports, resolving relative ones."""
    tree = ast.parse(file.read_text())
    package = module_name(file).split(".")
    package = package if file.name == "__init__.py" else package[:-1]
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{name}.{alias.name}" for alias in node.names)


def within(name, package):
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("file", sources("cloudserve"), ids=str)
def test_the_core_imports_neither_adapters_nor_servers(file):
    assert not [n for n in imports(file) if any(within(n, outer) for outer in OUTER)]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [("adapters", "cloudserve.local_server"), ("local_server", "cloudserve.adapters")],
)
def test_adapters_and_local_server_never_import_each_other(folder, forbidden):
    for file in sources(folder):
        assert not [n for n in imports(file) if within(n, forbidden)], file


@pytest.mark.parametrize("folder", ["adapters", "local_server"])
def test_inside_a_mapped_folder_own_imports_are_relative(folder):
    for file in sources(folder):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert not within(node.module or "", FOLDERS[folder]), file


def test_templates_import_nothing():
    for file in sources("templates"):
        assert not list(imports(file)), file


def test_tensorflow_is_imported_in_the_runtime_alone():
    for folder in FOLDERS:
        for file in sources(folder):
            if "runtime" not in file.parts:
                assert not [n for n in imports(file) if within(n, "tensorflow")], file


@pytest.mark.parametrize("file", sources("cloudserve"), ids=str)
def test_the_core_imports_no_heavy_library_even_in_functions(file):
    assert not {name.partition(".")[0] for name in imports(file)} & HEAVY
