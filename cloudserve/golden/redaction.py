"""Rules for what a recording leaves out: fields that are dropped, hashed or rounded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cloudserve.errors import UserError

FORMS = "drop:NAME, hash:NAME or round:NAME:DIGITS, of an input or output of the model"
MOST_DIGITS = 15


class Action(StrEnum):
    """What a rule does with the values of a field."""

    DROP = "drop"
    """The field is left out."""
    HASH = "hash"
    """Each text becomes a keyed hash of it (HMAC-SHA-256)."""
    ROUND = "round"
    """Each number is rounded to so many decimals."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for the inputs and outputs of one name."""

    action: Action
    field: str
    digits: int = 0

    def __str__(self) -> str:
        end = f":{self.digits}" if self.action is Action.ROUND else ""
        return f"{self.action}:{self.field}{end}"

    @property
    def applied(self) -> str:
        """Return what was done, as an example of a golden file names it: `hash`, `round:2`."""
        return f"round:{self.digits}" if self.action is Action.ROUND else str(self.action)


def parse_rule(text: str) -> Rule:
    """Parse a rule such as `hash:user` or `round:age:0`; raises UserError for another text."""
    action, _, field = text.partition(":")
    try:
        kind = Action(action)
    except ValueError:
        raise _invalid(text) from None
    if kind is not Action.ROUND:
        return Rule(kind, field) if field else _refuse(text)
    name, _, digits = field.rpartition(":")
    if not (name and digits.isascii() and digits.isdecimal() and int(digits) <= MOST_DIGITS):
        raise _invalid(text)
    return Rule(kind, name, int(digits))


def parse_rules(texts: tuple[str, ...]) -> tuple[Rule, ...]:
    """Parse rules; raises UserError if two are for the same field."""
    rules = tuple(parse_rule(text) for text in texts)
    fields = [rule.field for rule in rules]
    for rule in rules:
        if fields.count(rule.field) > 1:
            raise UserError(
                f"there are two rules for the field `{rule.field}`", hint="give one of them"
            )
    return rules


def digits_of(applied: str) -> int | None:
    """Return the decimals of an applied `round:2`; None for another rule."""
    action, _, digits = applied.partition(":")
    return int(digits) if action == Action.ROUND and digits.isdecimal() else None


def _refuse(text: str) -> Rule:
    raise _invalid(text)


def _invalid(text: str) -> UserError:
    return UserError(f"`{text}` is not a rule of redaction", hint=f"write {FORMS}")
