"""The names of a target's endpoints, and its claims on existing resources.

A name comes from the target's field `endpoint_name`, in which `{model}` stands for the model. By
default it is the model's name, and `MODEL-TARGET` where the project has several targets of the
platform in one place (account and region). Whatever else is made is named after the endpoint, so
that no two targets share a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from cloudserve.errors import ConflictError, ProjectError
from cloudserve.project import Target
from cloudserve.release.owner import (
    Owner,
    contested,
    left_behind,
    not_owned,
    orphaned,
    owned_by,
    renamed,
)

MODEL = "cloudserve-model"
"""The tag or label that tells which model a resource is of."""
FIELD = "endpoint_name"
ANY = "{model}"
PATTERN = re.compile(r"([a-zA-Z0-9]|\{model\})([a-zA-Z0-9_-]|\{model\})*")
Fold = Callable[[str], str]
"""Converts a name to one that the platform accepts."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the platform that may be the target's."""

    what: str
    """Such as `the endpoint half`."""
    where: str
    tags: Mapping[str, str]
    buckets: Callable[[], Iterable[str]]
    """Read the buckets of the files that it serves; called if no tag names an owner."""
    adopt: Callable[[Mapping[str, str]], str]
    """Return the platform's own command that writes these tags."""
    is_endpoint: bool = False
    name: str = ""
    """The `endpoint_name` that would name it; "" if it is not an endpoint."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The names of one target, and its claim to the resources under them."""

    target: str
    owner: Owner
    pattern: str
    fold: Fold
    encode: Fold
    """Converts a value to one that the platform's tags accept."""
    is_default: bool
    """Whether the project file does not give the pattern."""
    siblings: tuple[str, ...] = ()
    """The project's other targets of the platform in the same place."""
    rivals: tuple[str, ...] = ()
    """Those of them that are given the same pattern."""
    field: str = FIELD
    """The target's field that gives the pattern."""
    others: frozenset[str] = frozenset()
    """The tags of all the project's other targets, wherever they are."""

    def endpoint(self, model: str) -> str:
        """Return the name of a model's endpoint."""
        return self.fold(self.pattern.replace(ANY, model))

    def former(self, model: str) -> str:
        """Return the name that the endpoint had while the target was alone; "" if the same."""
        return self.fold(model) if self.is_default and self.siblings else ""

    def tags(self, model: str) -> dict[str, str]:
        """Return the tags of all resources of a model."""
        return {MODEL: self.encode(model), **self.owner.tags}

    def claims(self, model: str, resource: Resource) -> bool:
        """Return whether a resource has the owner's tags; False if they must be written first.

        Raises ConflictError for a resource of another owner or model, or not made by cloudserve.
        """
        owner, whose = Owner.read(resource.tags), resource.tags.get(MODEL, "")
        if owner not in {None, self.owner}:
            raise owned_by(resource.what, owner, where=resource.where)
        if whose != self.encode(model):
            raise self._not_the_models(model, whose, resource)
        if owner is not None:
            return True
        self._check_inheritance(model, resource)
        return False

    def is_own(self, model: str, resource: Resource) -> bool:
        """Return whether a resource is the target's, written on it or inherited by its bucket."""
        try:
            self.claims(model, resource)
        except ConflictError:
            return False
        return True

    def check_former(self, model: str, resource: Resource) -> None:
        """Raise ConflictError if the endpoint of the former name may be this target's."""
        owner = Owner.read(resource.tags)
        if resource.tags.get(MODEL) != self.encode(model):
            return
        if owner == self.owner or (owner is None and self.owner.may_inherit(resource.buckets())):
            others = () if owner else self.siblings
            raise left_behind(self.former(model), self.target, others, where=resource.where)

    def check_beside(self, model: str, endpoints: Iterable[Resource]) -> None:
        """Raise ConflictError if a new endpoint would leave one of these behind.

        Call it if the target's endpoint does not exist. An endpoint with the target's own tags
        was made under another name. One of a target that the project file does not have may have
        been, too, unless this target's endpoint is named by the project file.
        """
        tagged = [
            resource for resource in endpoints if resource.tags.get(MODEL) == self.encode(model)
        ]
        owners = [(resource, owner) for resource in tagged if (owner := Owner.read(resource.tags))]
        for resource, owner in owners:
            if owner == self.owner:
                expected = self.endpoint(model)
                raise renamed(
                    resource.what, resource.name, expected, where=resource.where, field=self.field
                )
        for resource, owner in owners:
            if self.is_default and self._is_gone(owner):
                raise orphaned(resource.what, owner, where=resource.where, field=self.field)

    def _is_gone(self, owner: Owner) -> bool:
        """Return whether an owner is of this project and bucket, and none of its targets."""
        is_ours = (owner.project, owner.bucket) == (self.owner.project, self.owner.bucket)
        return is_ours and owner.target not in self.others

    def _check_inheritance(self, model: str, resource: Resource) -> None:
        buckets = set(resource.buckets())
        if not self.owner.may_inherit(buckets):
            adopt = resource.adopt(self.tags(model))
            raise not_owned(resource.what, where=resource.where, adopt=adopt, buckets=buckets)
        if resource.is_endpoint and self.rivals:
            raise contested(resource.what, self.rivals, where=resource.where)

    def _not_the_models(self, model: str, whose: str, resource: Resource) -> ConflictError:
        if not whose:
            adopt = resource.adopt(self.tags(model))
            return not_owned(resource.what, where=resource.where, adopt=adopt)
        return ConflictError(
            f"{resource.what} belongs to the model `{whose}`",
            where=resource.where,
            hint=f"release this model under another name, or put `{ANY}` into `{FIELD}`",
        )


def ownership(  # noqa: PLR0913 - what a platform's names and places are
    target: Target,
    bucket: str,
    name: str,
    *,
    field: str = FIELD,
    place: Callable[[Target], Hashable],
    fold: Fold,
    encode: Fold,
) -> Ownership:
    """Return what a target owns; `name` is its field `endpoint_name`, "" where it has none.

    `place` says where a target of the same provider has its endpoints, None for one whose
    endpoints are named otherwise. Raises ProjectError for a pattern that makes no names.
    """
    if name and not PATTERN.fullmatch(name):
        raise ProjectError(
            f"`{name}` is not an endpoint's name",
            where=target.where_of(field),
            hint=f"letters, digits, - and _; `{ANY}` stands for the model's name",
        )
    here = place(target)
    beside = [s for s in target.siblings if s.provider == target.provider and place(s) == here]
    same = [s.name for s in beside if name and s.fields.get(field) == name]
    return Ownership(
        target.name,
        Owner.of(target, bucket, encode),
        name or (f"{ANY}-{target.name}" if beside else ANY),
        fold,
        encode,
        is_default=not name,
        siblings=tuple(s.name for s in beside),
        rivals=tuple(same),
        field=field,
        others=frozenset(encode(sibling.name) for sibling in target.siblings),
    )
