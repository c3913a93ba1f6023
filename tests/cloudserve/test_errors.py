"""Every error of the core, of the adapters and of the load generator has a hint."""

import ast
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("cloudserve", "adapters", "local_server/load")
"""Folders whose errors reach users as they are. The offline clouds' are those of the platforms."""
TOLD = {
    "UserError",
    "ProjectError",
    "ModelError",
    "RemoteError",
    "UnreachableError",
    "LostAnswerError",
    "ConflictError",
    "CheckFailedError",
}


def errors_without_a_hint(source: Path):
    for node in ast.walk(ast.parse(source.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in TOLD
            and "hint" not in {keyword.arg for keyword in node.keywords}
        ):
            yield f"{source.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def test_every_error_has_a_hint():
    found = chain.from_iterable((ROOT / folder).rglob("*.py") for folder in FOLDERS)
    sources = [path for path in found if "testing" not in path.parts]  # it has only doubles
    assert len(sources) > 50
    assert [line for path in sources for line in errors_without_a_hint(path)] == []
