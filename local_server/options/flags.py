"""Command line flags, parsed as TensorFlow does.

Source: tensorflow/core/util/command_line_flags.cc. Only `--name=value`; a bool flag
is `--name`, `--name=true` or `--name=false`; the last one wins. Other arguments are returned as
unknown; a value that does not parse makes the whole line invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .flag_table import FLAGS, Flag, FlagValue

_INTEGER = re.compile(r"\s*[-+]?[0-9]+", re.ASCII)
_FLOAT = re.compile(
    r"\s*[-+]?([0-9]+\.?[0-9]*([eE][-+]?[0-9]+)?|\.[0-9]+([eE][-+]?[0-9]+)?|inf|nan)", re.ASCII
)
_HELP = "--help"
_NO_MORE_FLAGS = "--"


@dataclass(frozen=True, slots=True)
class FlagValues:
    """A parsed command line; absent flags have their default."""

    values: Mapping[str, FlagValue]
    unknown: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Values that did not parse, with the parser's texts."""
    named: frozenset[str] = frozenset()
    """The flags on the command line."""

    @property
    def is_usable(self) -> bool:
        """Return whether the values can be used: not after an invalid value or --help."""
        return not self.problems and self.unknown[:1] != (_HELP,)

    def text(self, name: str) -> str:
        """Return a string flag."""
        return str(self.values[name])

    def number(self, name: str) -> int:
        """Return an integer flag."""
        return int(self.values[name])

    def fraction(self, name: str) -> float:
        """Return a floating-point flag."""
        return float(self.values[name])

    def is_on(self, name: str) -> bool:
        """Return a bool flag."""
        return bool(self.values[name])

    def without_effect(self) -> tuple[str, ...]:
        """Return the given flags that have no effect in this server."""
        idle = (flag.name for flag in FLAGS if not flag.has_effect)
        return tuple(name for name in idle if name in self.named)


@dataclass(slots=True)
class _Line:
    """The part of a command line that was parsed."""

    values: dict[str, FlagValue] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def parse_flags(arguments: Sequence[str], flags: Iterable[Flag] = FLAGS) -> FlagValues:
    """Parse a command line without the program's name; raises nothing."""
    known = {flag.name: flag for flag in flags}
    line = _Line({name: flag.default for name, flag in known.items()})
    for index, argument in enumerate(arguments):
        if argument == _NO_MORE_FLAGS:
            line.unknown += arguments[index:]
            break
        name, equals, value = argument.removeprefix("--").partition("=")
        flag = known.get(name) if argument.startswith("--") else None
        if flag is None or not (equals or isinstance(flag.default, bool)):
            line.unknown.append(argument)
        else:
            _take(line, flag, equals + value)
    return FlagValues(line.values, tuple(line.unknown), tuple(line.problems), frozenset(line.named))


def usage(program: str, flags: Iterable[Flag] = FLAGS) -> str:
    """Return the help text: one line per flag, with its default and type."""
    lines = (f"\t{_example(flag):<33}\t{_type_name(flag)}\t{flag.usage}\n" for flag in flags)
    return f"usage: {program}\nFlags:\n{''.join(lines)}"


def _take(line: _Line, flag: Flag, text: str) -> None:
    """Parse the text after a flag's name: `=value`, or nothing for a bool."""
    value = _read(flag, text)
    if value is None:
        line.problems.append(f"Couldn't interpret value {text} for flag {flag.name}.")
    else:
        line.values[flag.name] = value
        line.named.add(flag.name)


def _read(flag: Flag, text: str) -> FlagValue | None:
    match flag.default:
        case bool():
            return {"": True, "=true": True, "=false": False}.get(text)
        case int():
            return _integer(text[1:], flag.bits)
        case float():
            return float(text[1:]) if _FLOAT.fullmatch(text[1:]) else None
        case _:
            return text[1:]


def _integer(text: str, bits: int) -> int | None:
    # Python refuses numerals of thousands of digits; more than 20 never fit.
    if not _INTEGER.fullmatch(text) or len(text.strip()) > 20:  # noqa: PLR2004  a sign and 19 digits
        return None
    number = int(text)
    return number if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else None


def _example(flag: Flag) -> str:
    match flag.default:
        case bool():
            return f"--{flag.name}={str(flag.default).lower()}"
        case str():
            return f'--{flag.name}="{flag.default}"'
        case float():
            return f"--{flag.name}={flag.default:f}"
        case _:
            return f"--{flag.name}={flag.default}"


def _type_name(flag: Flag) -> str:
    match flag.default:
        case bool():
            return "bool"
        case str():
            return "string"
        case float():
            return "float"
        case _:
            return f"int{flag.bits}"
