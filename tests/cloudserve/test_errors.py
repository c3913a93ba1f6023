"""Every error of the core has a hint."""

import ast
from pathlib import Path

import cloudserve

CORE = Path(cloudserve.__file__).parent
TOLD = {"UserError", "ProjectError", "ModelError", "RemoteError", "ConflictError"}


def errors_without_a_hint(source: Path):
    for node in ast.walk(ast.parse(source.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in TOLD
            and "hint" not in {keyword.arg for keyword in node.keywords}
        ):
            yield f"{source.relative_to(CORE)}:{node.lineno}: {ast.unparse(node)}"


def test_every_error_has_a_hint():
    sources = [
        path
        for path in CORE.rglob("*.py")
        # Its errors are listed with the transfer's own; `testing` has only doubles.
        if path.relative_to(CORE).parts[0] not in {"storage", "testing"}
    ]
    assert len(sources) > 50
    assert [line for path in sources for line in errors_without_a_hint(path)] == []
