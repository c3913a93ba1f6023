"""The tags of a model's resources, compared with the target's field `tags`.

Tags that others have written are not compared: they stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cloudserve.release.inspection.drift import NOTHING, Setting

from ..context import AwsContext
from ..fields.tags import MANAGED, difference
from ..records import FAILED, Endpoint
from ..snapshot import TaggedModel


def tag_drift(
    aws: AwsContext,
    model: str,
    endpoints: Iterable[Endpoint | None],
    models: Iterable[TaggedModel],
) -> Iterator[Setting]:
    """Yield the tags that differ on endpoints, their configurations and SageMaker Models."""
    for endpoint in endpoints:
        if endpoint is None or endpoint.status == FAILED:
            continue
        tags = endpoint.tags
        if tags is None:
            tags = aws.api.existing_tags(endpoint.arn) or {}
        yield from _rows(aws, model, f"the endpoint {endpoint.name}", tags)
        arn = endpoint.config_record.get("EndpointConfigArn", "")
        of_config = aws.api.existing_tags(arn) if arn else None
        name = f"the endpoint configuration {endpoint.config}"
        yield from _rows(aws, model, name, of_config or {})
    for tagged in models:
        yield from _rows(aws, model, f"the model {tagged.name}", tagged.tags)


def _rows(aws: AwsContext, model: str, what: str, tags: Mapping[str, str]) -> Iterator[Setting]:
    if not aws.owned.is_marked(model, tags):
        return
    changed, removed = difference(tags, aws.options.tags)
    for key, value in changed.items():
        if key != MANAGED:
            yield Setting(f"tag {key} of {what}", value, tags.get(key, NOTHING))
    for key in removed:
        if key != MANAGED:
            yield Setting(f"tag {key} of {what}", NOTHING, tags[key])
