"""Write docs/reference/python-api.md from the public API's own docstrings: `make docs`."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import cloudserve

HEAD = """\
# Python API

Written by `make docs` from the docstrings; a test compares the two. `import cloudserve` gives these
names; each is loaded when it is first used. Everything is typed (`py.typed`).

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
        for member, method in vars(value).items():
            if not member.startswith("_") and callable(method):
                yield f"### `{name}.{member}{signature(method)}`\n\n{inspect.getdoc(method)}\n"
            elif isinstance(method, property):
                yield f"### `{name}.{member}`\n\n{inspect.getdoc(method)}\n"


def signature(value: Any) -> str:
    """Return a signature as it stands in the source, on one line."""
    if dataclasses.is_dataclass(value):
        return "(" + ", ".join(f"{f.name}: {f.type}" for f in dataclasses.fields(value)) + ")"
    found = inspect.signature(value)
    parameters = [
        p.replace(annotation=_unquoted(p.annotation), default=_named(p.default))
        for p in found.parameters.values()
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
