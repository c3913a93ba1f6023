"""Write docs/reference/python-api.md from the public API's own docstrings: `make docs`."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import cloudserve

HEAD = """\
# Python API

Written by `make docs` from the docstrings; a test compares the two. `import cloudserve` gives these
names; each is loaded when it is first used. Everything is typed (`py.typed`).

In the signatures `Environ` is `Mapping[str, str] | None`: what credentials and endpoints are read
from, the process's environment by default. `Notify` is `Callable[[str], None]` and takes lines of
progress; `Observe` is `Callable[[Event], None]` and takes the events of transfers
(`cloudserve.storage.events`). Both do nothing by default.

Errors are one tree, `cloudserve.errors`:

```text
{errors}
```
"""


def render() -> str:
    """Return the whole page."""
    from cloudserve import errors

    tree = inspect.cleandoc(errors.__doc__ or "").split("\n\n")[1]
    page = [HEAD.format(errors=inspect.cleandoc(tree))]
    names = sorted(cloudserve.__all__, key=lambda name: (not name[0].islower(), name))
    for name in names:
        value = getattr(cloudserve, name)
        if callable(value) and not (isinstance(value, type) and issubclass(value, Exception)):
            page.append("\n".join(section(name, value)))
    return "\n".join(page)


def section(name: str, value: Any) -> Iterator[str]:
    """Yield the lines of one name."""
    yield f"## `{name}`\n"
    yield f"```python\n{name}{signature(value)}\n```\n"
    yield f"{inspect.getdoc(value)}\n"
    if isinstance(value, type):
        fields = list(field_lines(value))
        if fields:
            yield "\n".join(fields) + "\n"
        for member, method in vars(value).items():
            if not member.startswith("_") and callable(method):
                call = f"{member}{signature(method, bound=True)}"
                yield f"### `{name}.{call}`\n\n{inspect.getdoc(method)}\n"
            elif isinstance(method, property):
                yield f"### `{name}.{member}`\n\n{inspect.getdoc(method)}\n"


def field_lines(value: type) -> Iterator[str]:
    """Yield a line for each field of a class that has a docstring below it."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(value))).body
    assert isinstance(body, ast.ClassDef)
    for field, below in itertools.pairwise(body.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield f"* `{name}`: {' '.join(text.split())}"


def signature(value: Any, *, bound: bool = False) -> str:
    """Return a signature as it stands in the source, on one line; bound, without its `self`."""
    if dataclasses.is_dataclass(value):
        return "(" + ", ".join(f"{f.name}: {f.type}" for f in dataclasses.fields(value)) + ")"
    found = inspect.signature(value)
    parameters = [
        p.replace(annotation=_unquoted(p.annotation), default=_named(p.default))
        for p in list(found.parameters.values())[bound:]
    ]
    return str(
        found.replace(parameters=parameters, return_annotation=_unquoted(found.return_annotation))
    )


class Source:
    """Text that stands for itself in a signature."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _unquoted(annotation: Any) -> Any:
    return Source(annotation) if isinstance(annotation, str) else annotation


def _named(default: Any) -> Any:
    return Source(default.__name__) if inspect.isfunction(default) else default


if __name__ == "__main__":
    sys.stdout.write(render())
