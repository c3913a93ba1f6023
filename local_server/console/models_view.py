"""Models, versions and signatures of a model server, as records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cloudserve.golden.samples import Sample, sample_requests, to_text
from cloudserve.openapi.tensors import takes_json
from cloudserve.savedmodel.signature import Signature, TensorSpec

from ..config import All, Latest, Specific, VersionPolicy
from ..models import State, Version

LONGEST_SAMPLE = 2**18
"""Bytes; the form of a larger input begins with zeros."""
_BATCH = "batch"
_OPEN = "?"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version in the list. Numbers of 64 bits are text: JavaScript would round them."""

    version: str
    state: str
    labels: tuple[str, ...]
    load_seconds: float | None
    file_bytes: int | None
    """The size of its files, about what its variables take in memory."""
    message: str
    """Why it failed; "" if it did not."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the list, with its versions, the highest first."""

    name: str
    versions: tuple[VersionRow, ...]
    problem: str = ""
    """Why it has no version."""
    policy: str = ""
    """Which versions the configuration chooses."""
    unserved: tuple[str, ...] = ()
    """The versions below its base path that it does not choose, the highest first."""
    labels: tuple[str, ...] = ()
    """All labels of the configuration, also those of versions that are not listed."""


@dataclass(frozen=True, slots=True)
class TensorCard:
    """An input or an output."""

    alias: str
    dtype: str
    shape: tuple[int | None, ...] | None
    dimensions: tuple[str, ...] | None
    """The sizes as text, open ones by name; None if the rank is unknown."""
    is_optional: bool = False
    takes_json: bool = True


@dataclass(frozen=True, slots=True)
class SignatureCard:
    """A signature, and a sample request to it."""

    name: str
    method: str
    inputs: tuple[TensorCard, ...]
    outputs: tuple[TensorCard, ...]
    rows: dict[str, Any] | None
    columns: dict[str, Any] | None
    why_none: str
    """Why there is no sample request."""


@dataclass(frozen=True, slots=True)
class VersionCard:
    """A version in full."""

    model: str
    version: str
    path: str
    signatures: tuple[SignatureCard, ...]


def list_models(
    configured: Iterable[str],
    versions: Iterable[Version],
    labels: Mapping[str, Mapping[str, int]],
    problems: Mapping[str, str],
) -> tuple[ModelRow, ...]:
    """Return the configured models in their order, with the versions that were ever requested."""
    by_model: dict[str, list[Version]] = {name: [] for name in configured}
    for version in versions:
        by_model.setdefault(version.name, []).append(version)
    return tuple(
        ModelRow(name, _rows(listed, labels.get(name, {})), problems.get(name, ""))
        for name, listed in by_model.items()
    )


def describe_policy(policy: VersionPolicy) -> str:
    """Return a version policy in words."""
    match policy:
        case All():
            return "every version"
        case Specific(versions):
            return f"chosen versions: {', '.join(map(str, sorted(versions))) or 'none'}"
        case Latest(count) if count > 1:
            return f"the {count} newest versions"
        case _:
            return "the newest version"


def _rows(versions: list[Version], labels: Mapping[str, int]) -> tuple[VersionRow, ...]:
    ordered = sorted(versions, key=lambda each: each.status.version, reverse=True)
    return tuple(_row(version, labels) for version in ordered)


def _row(version: Version, labels: Mapping[str, int]) -> VersionRow:
    status = version.status
    return VersionRow(
        str(status.version),
        status.state.name,
        tuple(sorted(label for label, number in labels.items() if number == status.version)),
        version.load_seconds,
        file_bytes(version.path, version.load_seconds) if version.path else None,
        status.message if status.state is State.END else "",
    )


@lru_cache(4096)
def file_bytes(path: Path, _load: float | None) -> int | None:
    """Return the size of a version's files; it is read again after another load."""
    try:
        files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        return sum(each.stat().st_size for each in files)
    except OSError:  # it is in a bucket, or was removed after its load
        return None


def describe_version(version: Version) -> VersionCard | None:
    """Return a version's signatures; None if it is not in memory."""
    if version.model is None:
        return None
    signatures = tuple(version.model.signatures.values())
    return VersionCard(
        version.name,
        str(version.status.version),
        str(version.path or ""),
        describe_signatures(signatures),
    )


def describe_signatures(signatures: Sequence[Signature]) -> tuple[SignatureCard, ...]:
    """Return the signatures, that of requests without a name first."""
    pairs = zip(signatures, sample_requests(signatures), strict=True)
    cards = [_signature(signature, sample) for signature, sample in pairs]
    return tuple(sorted(cards, key=lambda card: (card.name != "serving_default", card.name)))


def _signature(signature: Signature, sample: Sample) -> SignatureCard:
    is_long = any(
        body and len(to_text(body)) > LONGEST_SAMPLE for body in (sample.rows, sample.columns)
    )
    return SignatureCard(
        signature.name,
        signature.method_name.rpartition("/")[2] or "predict",
        tuple(_tensor(spec, spec.alias in signature.defaults) for spec in signature.inputs),
        tuple(_tensor(spec) for spec in signature.outputs),
        None if is_long else sample.rows,
        None if is_long else sample.columns,
        sample.why_none,
    )


def _tensor(spec: TensorSpec, is_optional: bool = False) -> TensorCard:
    return TensorCard(
        spec.alias,
        spec.dtype,
        spec.shape,
        None if spec.shape is None else tuple(_dimensions(spec.shape)),
        is_optional,
        takes_json(spec),
    )


def _dimensions(shape: Sequence[int | None]) -> Iterable[str]:
    """Yield the sizes; an open first one is the batch, as the servers read it."""
    for index, size in enumerate(shape):
        yield str(size) if size is not None else _OPEN if index else _BATCH
