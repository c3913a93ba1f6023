"""Conversion of a target's fields to an adapter's frozen Options dataclass.

A field's type defines its values (`int`, `str | None`, `Annotated[int, msgspec.Meta(gt=0)]`);
`from_environment` adds variables that provide its default. Errors name the field.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from cloudserve.errors import ProjectError
from cloudserve.hints import did_you_mean
from cloudserve.project import Field, Target

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")
VARIABLES = "variables"
KIND = re.compile(r"`(\w+(?: \| \w+)*)`")
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
}
UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


def from_environment(*variables: str, default: Any = dataclasses.MISSING) -> Any:
    """Declare a field whose default is the first of these environment variables that is set."""
    metadata = {VARIABLES: variables}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def parse_options(target: Target, kind: type[Options], environ: Mapping[str, str]) -> Options:
    """Convert a target's fields into `kind`; raises ProjectError for the first that is wrong.

    A field that is null counts as not given. Text is converted to the numbers, or to the values by
    name (`team=vision,env=prod`), that a field wants: flags and variables only have text.
    """
    hints = get_type_hints(kind, include_extras=True)
    _refuse_unknown(target, hints)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        value = _given(target, field, environ)
        if value is not None:
            values[field.name] = _convert(target, field.name, value, hints[field.name])
        elif dataclasses.MISSING is field.default is field.default_factory:
            raise _missing(target, field)
    return kind(**values)


def value_of(
    target: Target, kind: type[DataclassInstance], name: str, environ: Mapping[str, str]
) -> str:
    """Return one field's value as text, unchecked: for a look at other targets of the project."""
    field = next(field for field in dataclasses.fields(kind) if field.name == name)
    value = _given(target, field, environ)
    if value is not None:
        return str(value)
    return "" if field.default is dataclasses.MISSING else str(field.default)


def bucket_name(target: Target, url: str, scheme: str) -> str:
    """Return the name in `gs://NAME` or `s3://NAME`; raises ProjectError for anything else."""
    name = url.removeprefix(f"{scheme}://").removesuffix("/")
    if not url.startswith(f"{scheme}://") or not BUCKET_NAME.fullmatch(name):
        raise ProjectError(
            f"`{url}` is not a bucket",
            where=target.where_of("bucket"),
            hint=f"write {scheme}://NAME, without a path",
        )
    return name


def _given(
    target: Target, field: dataclasses.Field[Any], environ: Mapping[str, str]
) -> Field | None:
    value = target.fields.get(field.name)
    if value is not None:
        return value
    return next((environ[v] for v in field.metadata.get(VARIABLES, ()) if environ.get(v)), None)


def _convert(target: Target, name: str, value: Field, hint: Any) -> Any:
    if get_origin(hint) is Mapping and get_args(hint)[1] is str:
        value = _pairs(target, name, value)
    elif isinstance(value, str) and _is_nested(hint):
        value = _json(target, name, value)
    try:
        return msgspec.convert(value, hint, strict=False)
    except msgspec.ValidationError as error:
        if _is_nested(hint):
            raise _nested(target, name, error, hint) from error
        takes_text = "Expected `str`" in str(error) and isinstance(value, int | float)
        quote = f'put it in quotes: {name}: "{value}"' if takes_text else ""
        expected = _description(hint)
        reason = f"expected {expected}" if expected and isinstance(value, str) else _plain(error)
        raise ProjectError(
            f"`{name}` cannot be `{value}`: {reason}",
            where=target.where_of(name),
            hint=quote or f"correct it, or override it: --set {name}=VALUE",
        ) from error


def _plain(error: msgspec.ValidationError) -> str:
    """Return msgspec's error in words: "expected a whole number, got text"."""
    text = str(error).partition(" - at `$")[0]
    text = KIND.sub(_in_words, text)
    return f"{text[:1].lower()}{text[1:]}"


def _in_words(match: re.Match[str]) -> str:
    kinds = [kind for kind in match[1].split(" | ") if kind != "null"]
    known = kinds and all(kind in KINDS for kind in kinds)
    return " or ".join(KINDS[kind] for kind in kinds) if known else match[0]


def _is_nested(hint: Any) -> bool:
    """Return whether a field has values below it: a mapping, or a struct with fields."""
    return get_origin(hint) is Mapping or _struct(hint) is not None


def _struct(hint: Any) -> type[msgspec.Struct] | None:
    kinds = (hint, *get_args(hint))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, msgspec.Struct)), None)


def _json(target: Target, name: str, text: str) -> Field:
    try:
        value: Field = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ProjectError(
            f"`{name}` cannot be `{text}`: {error}",
            where=target.where_of(name),
            hint=f"in a flag or a variable, {name} is a JSON object",
        ) from error
    return value


def _nested(target: Target, name: str, error: msgspec.ValidationError, hint: Any) -> ProjectError:
    """Return the error for a wrong value below a field; msgspec names its path as `$.a.b`."""
    reason, _, place = str(error).partition(" - at `$")
    path = f"{name}{place.removesuffix('`')}"
    unknown = UNKNOWN.fullmatch(reason)
    struct = _struct(hint)
    if unknown and struct:
        return ProjectError(
            f"`{path}` has no field `{unknown[1]}`",
            where=target.where_of(f"{path}.{unknown[1]}"),
            hint=did_you_mean(unknown[1], struct.__struct_fields__),
        )
    return ProjectError(
        f"`{path}`: {_plain(error)}",
        where=target.where_of(path),
        hint=f"correct it, or leave `{name}` out",
    )


def _description(hint: Any) -> str:
    """Return what a field's type says that its values are, instead of a pattern; or ""."""
    return next((m.description for m in getattr(hint, "__metadata__", ()) if m.description), "")


def _pairs(target: Target, name: str, value: Field) -> dict[str, str]:
    """Return values by name, from a mapping or from `name=value,name=value`."""
    if isinstance(value, Mapping):
        return {key: _single(target, f"{name}.{key}", entry) for key, entry in value.items()}
    pairs = [part.partition("=") for part in str(value).split(",") if part.strip()]
    if not isinstance(value, str) or not all(key.strip() and equals for key, equals, _ in pairs):
        raise ProjectError(
            f"`{name}` cannot be `{value}`: values by name are expected",
            where=target.where_of(name),
            hint=f"{name}:\n  NAME: VALUE, or as text NAME=VALUE,NAME=VALUE",
        )
    return {key.strip(): text.strip() for key, _, text in pairs}


def _single(target: Target, name: str, value: Any) -> str:
    if isinstance(value, Mapping | list):
        what = "a list" if isinstance(value, list) else "a mapping"
        key = name.rpartition(".")[2]
        raise ProjectError(
            f"`{key}` must be a single value, not {what}",
            where=target.where_of(name),
            hint=f"{key}: VALUE",
        )
    return "" if value is None else str(value)


def _missing(target: Target, field: dataclasses.Field[Any]) -> ProjectError:
    own = f"CLOUDSERVE_{target.name.upper().replace('-', '_')}_{field.name.upper()}"
    variables = " or ".join((*field.metadata.get(VARIABLES, ()), own))
    return ProjectError(
        f"`{field.name}` is missing",
        where=target.where_of(field.name),
        hint=f"add `{field.name}:` to the target, or set {variables}",
    )


def _refuse_unknown(target: Target, known: Iterable[str]) -> None:
    for name in target.fields:
        if name not in known:
            raise ProjectError(
                f"`{target.provider}` has no field `{name}`",
                where=target.where_of(name),
                hint=did_you_mean(name, known),
            )
