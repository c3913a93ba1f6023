"""The plans that bring the tags of existing resources to the target's field `tags`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cloudserve.release.types import Action

from ....actions import planned
from ..actions.steps import SetTags
from ..context import AwsContext
from ..fields.tags import MANAGED, difference
from ..records import FAILED, Endpoint
from ..snapshot import TaggedModel


def tag_changes(
    aws: AwsContext,
    model: str,
    endpoints: Iterable[Endpoint | None],
    models: Iterable[TaggedModel],
    before: Iterable[Action],
) -> Iterator[Action]:
    """Yield the tag changes of a model's endpoints, their configurations and SageMaker Models.

    `before` are the plan's other actions: what they delete or create is not changed. Resources of
    other owners are skipped.
    """
    replaced = {str(action.args.get("name", "")) for action in before}
    for endpoint in endpoints:
        if endpoint is not None and endpoint.status != FAILED:
            arns = (endpoint.arn, endpoint.config_record.get("EndpointConfigArn", ""))
            for arn in filter(None, arns):
                known = endpoint.tags if arn == endpoint.arn else None
                tags = aws.api.existing_tags(arn) or {} if known is None else known
                if aws.owned.is_marked(model, tags):
                    yield from _change(aws, model, arn, tags)
    for tagged in models:
        if tagged.name not in replaced and aws.owned.is_marked(model, tagged.tags):
            yield from _change(aws, model, str(tagged.record["ModelArn"]), tagged.tags)


def _change(aws: AwsContext, model: str, arn: str, tags: Mapping[str, str]) -> Iterator[Action]:
    changed, removed = difference(tags, aws.options.tags)
    if not (changed or removed):
        return
    changes = [f"{key}={value}" for key, value in changed.items() if key != MANAGED]
    changes += [f"no {name}" for name in removed if name != MANAGED]
    kind, _, name = arn.rpartition(":")[2].partition("/")
    yield planned(
        SetTags(model, arn, changed, list(removed)),
        f"tag the {kind.replace('endpoint-config', 'endpoint configuration')} {name}: "
        f"{', '.join(changes) or 'the list of its tags'}",
        name=f"set-tags-{kind}-{name}",
    )
