"""The rules of redaction, applied to the tensors of requests before they are written."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from cloudserve.golden.redaction import Action, Rule
from cloudserve.savedmodel.signature import Signature

from ...runtime.types import Tensor

_HASH_DIGITS = 32
_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})


@dataclass(frozen=True, slots=True)
class Redacted:
    """The remaining tensors."""

    tensors: Mapping[str, Tensor]
    rules: dict[str, str]
    """The rules that were applied, by field."""
    changed: bool
    """Whether a value was changed or left out."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """The rules of a recording, with the key of hashes."""

    rules: tuple[Rule, ...] = ()
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def problem(self, signatures: Iterable[Signature]) -> str:
        """Return why the rules cannot be applied to a model's requests; "" if they can.

        A field that the model does not have may be a misspelled one, whose values would be written.
        """
        listed = list(signatures)
        dtypes: dict[str, set[str]] = {}
        for signature in listed:
            for spec in (*signature.inputs, *signature.outputs):
                dtypes.setdefault(spec.alias, set()).add(spec.dtype)
        for rule in self.rules:
            if rule.field not in dtypes:
                return f"`{rule}`: the model has no input or output of this name"
            if wrong := dtypes[rule.field] - _dtypes_of(rule.action, dtypes[rule.field]):
                return f"`{rule}`: {min(wrong)} values cannot be {_PAST[rule.action]}"
        return ""

    def apply(self, tensors: Mapping[str, Tensor]) -> Redacted:
        """Return the tensors by the rules; raises TypeError for a value that a rule cannot take."""
        left, applied, changed = dict(tensors), {}, False
        for rule in self.rules:
            if rule.field not in tensors:
                continue
            before = tensors[rule.field]
            applied[rule.field] = rule.applied
            if rule.action is Action.DROP:
                del left[rule.field]
                changed = True
                continue
            after = left[rule.field] = self._changed(before, rule)
            changed |= not np.array_equal(before, after)
        return Redacted(
            {alias: left[alias] for alias in tensors if alias in left}, applied, changed
        )

    def _changed(self, tensor: Tensor, rule: Rule) -> Tensor:
        if rule.action is Action.ROUND:
            rounded: Tensor = np.round(tensor.astype(np.float64), rule.digits)
            return rounded
        hashed: Tensor = np.empty(tensor.shape, object)
        for index, value in np.ndenumerate(tensor):
            digest = hmac.new(self.key, value, hashlib.sha256).hexdigest()
            hashed[index] = digest[:_HASH_DIGITS].encode()
        return hashed


_PAST = {Action.DROP: "dropped", Action.HASH: "hashed", Action.ROUND: "rounded"}


def _dtypes_of(action: Action, present: set[str]) -> frozenset[str] | set[str]:
    """Return those dtypes that an action can be applied to."""
    match action:
        case Action.DROP:
            return present
        case Action.HASH:
            return {"string"}
        case Action.ROUND:
            return _FLOATS
