"""Lists of resources that nobody can create offline: empty, instead of refused.

SDKs and consoles list training jobs, notebooks or pipelines to look whether there are any. If the
operation that creates one is refused, there are none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ...resources import Document
from .errors import invalid
from .validation import ServiceModel, Shape

_FILLED_BY_THE_SERVICE = frozenset({
    "ListActions", "ListArtifacts", "ListContexts", "ListHubs", "ListTrialComponents",
})  # fmt: skip
"""SageMaker's own public hub, and the lineage that it records for endpoints and jobs."""


def empty_lists(model: ServiceModel, handled: Collection[str]) -> frozenset[str]:
    """Return the operations of a service whose lists are empty.

    They are those whose creating operation exists and is not handled. A list below a resource,
    which the request names, is refused: the service answers that the resource does not exist.
    """
    return frozenset(_empty_lists(model, handled))


def _empty_lists(model: ServiceModel, handled: Collection[str]) -> Iterator[str]:
    for name in model.names:
        creation = f"Create{_singular(name.removeprefix('List'))}"
        if (
            name.startswith("List")
            and not {name, creation} & {*handled, *_FILLED_BY_THE_SERVICE}
            and creation in model
            and not _required(model.input_shape(name))
        ):
            yield name


def empty_list(output: Shape, body: Document) -> Document:
    """Return an empty page; raises AwsError for a token, which no page has given."""
    if "NextToken" in body:
        raise invalid("Invalid NextToken.")
    members: dict[str, Any] = output.members
    return {name: [] for name, member in members.items() if member.type_name == "list"}


def _required(shape: Shape | None) -> list[str]:
    required: list[str] = shape.required_members if shape is not None else []
    return required


def _singular(noun: str) -> str:
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")
