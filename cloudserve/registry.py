"""Registry of adapters, found through entry points, and of the local server.

The core imports neither adapters nor the local server. It reaches them only through this module,
which reports a missing extra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from typing import TYPE_CHECKING, ParamSpec, TypeAlias, TypeVar, cast

from cloudserve.errors import MissingExtraError, ProjectError, UserError
from cloudserve.hints import did_you_mean

if TYPE_CHECKING:
    # Every server's process imports this module, and none of these.
    from cloudserve.local.servers import LocalServer
    from cloudserve.migration import Migration
    from cloudserve.project import Target
    from cloudserve.release.provider import CloudEndpoint, Provider
    from cloudserve.storage.contract import PartStore
    from cloudserve.storage.model_registry import ModelRegistry

GROUP = "cloudserve.adapters"
STORAGE = "cloudserve.storage"
MIGRATIONS = "cloudserve.migrations"
REGISTRIES = "cloudserve.registries"
ENDPOINTS = "cloudserve.endpoints"
INCOMPLETE = "it is not a whole Provider"
OLD = "it was written for an older version of cloudserve"
UPDATE = "update the package that brings it. For its authors: {}"
READING = "`describe(model)` has become `read(model) -> Reading`, and plans are made from that"
REPORTER = "`perform`, `batch` and the bucket's `ensure` take a `reporter` instead of `notify`"
OpenUrl: TypeAlias = "Callable[[str, Mapping[str, str]], tuple[PartStore, str]]"
OpenEndpoint: TypeAlias = "Callable[[str, Mapping[str, str], Mapping[str, str]], CloudEndpoint]"
OpenRegistry: TypeAlias = "Callable[[str, Mapping[str, str]], ModelRegistry]"
Create: TypeAlias = "Callable[[Target, Mapping[str, str]], Provider]"
P = ParamSpec("P")
T = TypeVar("T")
# Packages of the extras: a missing one is a MissingExtraError, any other missing module is a bug.
OPTIONAL = frozenset(
    {
        "boto3",
        "botocore",
        "cryptography",
        "google_crc32c",
        "googleapiclient",
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "h5py",
        "hpack",
        "httptools",
        "httpx",
        "ml_dtypes",
        "mlflow",
        "PIL",
        "numpy",
        "opentelemetry",
        "orjson",
        "requests",
        "simdjson",
        "tensorflow",
        "uvloop",
    }
)


def adapters() -> dict[str, EntryPoint]:
    """Return the installed adapters by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def provider(target: Target, environ: Mapping[str, str]) -> Provider:
    """Create the provider of a target, without network access.

    Raises ProjectError for an unknown adapter or invalid fields, MissingExtraError if the adapter's
    packages are not installed, UserError if the adapter cannot be imported or lacks a method of
    the contract.
    """
    known = adapters()
    point = known.get(target.provider)
    if point is None:
        raise ProjectError(
            f"there is no adapter `{target.provider}`",
            where=target.where,
            hint=did_you_mean(target.provider, sorted(known)),
        )
    create = cast("Create", _load(point))
    made = create(target, environ)
    _check_contract(made, point)
    return made


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"the adapter `{point.name}` cannot be loaded: {error}",
            where=point.value,
            hint="reinstall the package that provides it",
        ) from error


def _check_contract(made: object, point: EntryPoint) -> None:
    from cloudserve.release.provider import Provider

    contract = (name for name in vars(Provider) if not name.startswith("_"))
    missing = [f"`{name}`" for name in contract if not hasattr(made, name)]
    if missing:
        is_old = "`read`" in missing and hasattr(made, "describe")
        raise UserError(
            f"the adapter `{point.name}` has no {', '.join(missing)}: "
            + (OLD if is_old else INCOMPLETE),
            where=point.value,
            hint=UPDATE.format(READING)
            if is_old
            else "see the contract in cloudserve.release.provider",
        )
    if "notify" in signature(cast("Provider", made).perform).parameters:
        raise UserError(
            f"the adapter `{point.name}` reports by `notify`: {OLD}",
            where=point.value,
            hint=UPDATE.format(REPORTER),
        )


def bucket(url: str, environ: Mapping[str, str]) -> tuple[PartStore, str]:
    """Return the store of a URL (`gs://`, `s3://`, `file://`), and the prefix in it.

    Does not access the network. Raises UserError if no adapter provides the scheme or
    it cannot be imported, MissingExtraError if its packages are not installed.
    """
    scheme, separator, _ = url.partition("://")
    known = {point.name: point for point in entry_points(group=STORAGE)}
    if not separator or scheme not in known:
        schemes = " or ".join(f"{name}://…" for name in sorted(known))
        raise UserError(f"`{url}` is not a bucket URL", hint=f"give {schemes}")
    open_url = cast("OpenUrl", _load(known[scheme]))
    return open_url(url, environ)


def names_of(group: str) -> frozenset[str]:
    """Return the names of a group: the schemes of REGISTRIES, the providers of ENDPOINTS."""
    return frozenset(point.name for point in entry_points(group=group))


def model_registry(url: str, environ: Mapping[str, str]) -> ModelRegistry:
    """Return the registry of a model's URL, such as `models:/NAME@ALIAS`.

    Does not access the network. Raises UserError if no adapter provides the scheme,
    MissingExtraError if its packages are not installed.
    """
    known = {point.name: point for point in entry_points(group=REGISTRIES)}
    point = known.get(url.partition(":/")[0])
    if point is None:
        raise UserError(
            f"`{url}` is not a model of a registry",
            hint=f"give {' or '.join(f'{name}:/…' for name in sorted(known))}",
        )
    open_registry = cast("OpenRegistry", _load(point))
    return open_registry(url, environ)


def endpoint(
    provider: str, address: str, parts: Mapping[str, str], environ: Mapping[str, str]
) -> CloudEndpoint:
    """Return an endpoint of a platform by its own name, without network access.

    Raises UserError if no adapter asks endpoints of this provider, or for an address that it does
    not ask; MissingExtraError if its packages are not installed.
    """
    known = {point.name: point for point in entry_points(group=ENDPOINTS)}
    point = known.get(provider)
    if point is None:
        raise UserError(
            f"no adapter asks endpoints of `{provider}` by their names",
            where=address,
            hint="name a target of the project: MODEL@TARGET",
        )
    open_endpoint = cast("OpenEndpoint", _load(point))
    return open_endpoint(address, parts, environ)


def migration(target: Target) -> Migration:
    """Return the migration of a target to the successor of its platform.

    Raises UserError if no adapter provides one, or if the adapter cannot be imported.
    """
    known = {point.name: point for point in entry_points(group=MIGRATIONS)}
    point = known.get(target.provider)
    if point is None:
        raise UserError(
            f"a `{target.provider}` target has no platform to migrate to",
            where=target.where,
            hint=f"migrate a target of {' or '.join(sorted(known)) or 'another provider'}",
        )
    move = cast("Callable[[Target], Migration]", _load(point))
    return move(target)


def local_server() -> LocalServer:
    """Import the entry functions of the local server."""
    return cast("LocalServer", import_module("cloudserve.local_server.entry"))


def needs_extra(what: str, extra: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function raise MissingExtraError if it imports a package of an extra in vain."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return function(*args, **kwargs)
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] not in OPTIONAL:
                    raise
                raise MissingExtraError(what, extra) from error

        return guarded

    return decorate
