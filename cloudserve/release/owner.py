"""The owner of resources on a platform: a target of a project, with its bucket.

A target changes only what is its own. Adapters write the owner beside everything that they make
(tags, labels) and compare it before a plan is made. What was made before owners were written says
only which bucket its files are in: it belongs to the project without a name in that bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cloudserve.errors import ConflictError
from cloudserve.project import Target

PROJECT, TARGET, BUCKET = "cloudserve-project", "cloudserve-target", "cloudserve-bucket"
KEYS = (PROJECT, TARGET, BUCKET)
"""The names of the tags or labels that tell an owner."""


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Owner:
    """A target, its project and its bucket, as the platform's tags hold them."""

    project: str
    """The project's name; the bucket's where the project file gives none."""
    target: str
    bucket: str
    """The bucket's name, without a scheme."""

    @classmethod
    def of(cls, target: Target, bucket: str, encode: Callable[[str], str] = _as_it_is) -> Owner:
        """Return the owner that a target is; `encode` makes values that the platform takes."""
        return cls(encode(target.project or bucket), encode(target.name), encode(bucket))

    @classmethod
    def read(cls, tags: Mapping[str, str]) -> Owner | None:
        """Return the owner that tags tell, or None where they tell none."""
        values = [tags.get(key, "") for key in KEYS]
        return cls(*values) if all(values) else None

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags or labels that tell this owner."""
        return dict(zip(KEYS, (self.project, self.target, self.bucket), strict=True))

    @property
    def is_named(self) -> bool:
        """Return whether the project has a name of its own."""
        return self.project != self.bucket

    @property
    def own_project(self) -> str:
        """Return the project's name; "" if the bucket's stands for it."""
        return self.project if self.is_named else ""

    def may_inherit(self, buckets: Iterable[str]) -> bool:
        """Return whether something without an owner is this one's, by the buckets of its files."""
        return not self.is_named and set(buckets) == {self.bucket}

    def __str__(self) -> str:
        """Return the owner in words."""
        project = f"the project {self.project}" if self.is_named else "a project without a name"
        return f"the target {self.target} of {project}, bucket {self.bucket}"


def owned_by(what: str, owner: Owner, *, where: str, field: str = "endpoint_name") -> ConflictError:
    """Return the error for a resource of another owner; `field` is what names it."""
    return ConflictError(
        f"{what} belongs to {owner}",
        where=where,
        hint=f"give this target a name of its own with `{field}`; "
        "if the target, the project or the bucket was renamed, undo that",
    )


def not_owned(what: str, *, where: str, adopt: str, buckets: Iterable[str] = ()) -> ConflictError:
    """Return the error for a resource without an owner, whose files are in these buckets.

    `adopt` is the command that gives it one.
    """
    names = " and ".join(sorted(buckets))
    files = f": its files are in the bucket {names}" if names else ""
    return ConflictError(
        f"{what} exists, and nothing says that it is this target's{files}",
        where=where,
        hint=f"give this target a name of its own with `endpoint_name`, or adopt it: {adopt}",
    )


def left_behind(endpoint: str, target: str, others: Iterable[str], *, where: str) -> ConflictError:
    """Return the error for an endpoint of the time when the project had one target there."""
    names = " or ".join(sorted({target, *others}))
    return ConflictError(
        f"the endpoint {endpoint} was created before the project had several targets here: "
        f"it may belong to {names}",
        where=where,
        hint=f"set `endpoint_name: {endpoint}` on the target that it belongs to, and another "
        "`endpoint_name` on the others",
    )


def renamed(what: str, name: str, wanted: str, *, where: str, field: str) -> ConflictError:
    """Return the error for an endpoint of the target itself, under the name that it had before."""
    return ConflictError(
        f"{what} is this target's, and {wanted} would be a second one",
        where=where,
        hint=f"set `{field}: {name}` on the target to keep it; or take it down first: "
        f"`cloudserve undeploy … --all --set {field}={name}`",
    )


def orphaned(what: str, owner: Owner, *, where: str, field: str) -> ConflictError:
    """Return the error for an endpoint of a target which the project file does not have."""
    unnamed = "" if owner.is_named else "; or name this project, if that is another's: `name: …`"
    return ConflictError(
        f"{what} belongs to {owner}, which the project file does not have",
        where=where,
        hint=f"if the target was renamed, call it {owner.target} again; if this is another target, "
        f"give it an endpoint of its own with `{field}`{unnamed}",
    )


def contested(what: str, others: Iterable[str], *, where: str) -> ConflictError:
    """Return the error for an endpoint without an owner that several targets name."""
    names = ", ".join(sorted(others))
    return ConflictError(
        f"{what} has no owner yet, and {names} names it too",
        where=where,
        hint="give each target an `endpoint_name` of its own",
    )
