"""Changes of one model in a configuration: which versions it serves, and their labels.

Each change makes a whole configuration, which the server checks and applies as any other. A model
whose versions were chosen one by one has the policy `specific`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from ..status import Code, StatusError
from .model_config import ModelConfig, ModelServerConfig, Specific

_LONGEST_LABEL = 256
_LONGEST_NUMBER = 20
"""Characters; a number of 64 bits has at most 19."""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A change of a model. `version` is as text: JavaScript would round it."""

    action: str
    """`load`, `unload`, `label`, `unlabel` or `reset`."""
    model: str
    version: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Existing:
    """What a change is made of: the configurations now and at the start, the existing versions."""

    config: ModelServerConfig
    start: ModelServerConfig
    versions: Mapping[str, Collection[int]]
    """The versions below each base path that could be read, by model."""

    def served(self, model: ModelConfig) -> frozenset[int]:
        """Return the existing versions that a model's policy chooses."""
        return model.policy.choose(self.versions.get(model.name, ()))


def changed_config(existing: Existing, change: ModelChange) -> ModelServerConfig:
    """Return the configuration after a change.

    Raises StatusError: INVALID_ARGUMENT for an unknown action or a value that is none, NOT_FOUND
    for an unknown model, version or label, FAILED_PRECONDITION if nothing would change, or a label
    would be left without its version.
    """
    make = _ACTIONS.get(change.action)
    if make is None:
        raise StatusError(Code.INVALID_ARGUMENT, f"{change.action!r} is not a change of a model")
    model = existing.config.model(change.model)
    if model is None:
        raise StatusError(Code.NOT_FOUND, f"The configuration has no model {change.model!r}")
    new = make(existing, model, change)
    if new == model:
        raise StatusError(Code.FAILED_PRECONDITION, "The configuration is so already")
    models = existing.config.models
    return ModelServerConfig(tuple(new if each is model else each for each in models))


def _load(existing: Existing, model: ModelConfig, change: ModelChange) -> ModelConfig:
    version = _version(change)
    if version not in existing.versions.get(model.name, ()):
        text = f"There is no version {version} of model {model.name} under {model.base_path}"
        raise StatusError(Code.NOT_FOUND, text)
    served = existing.served(model)
    if version in served:
        text = f"Version {version} of model {model.name} is chosen already"
        raise StatusError(Code.FAILED_PRECONDITION, text)
    return replace(model, policy=Specific(served | {version}))


def _unload(existing: Existing, model: ModelConfig, change: ModelChange) -> ModelConfig:
    version = _version(change)
    served = existing.served(model)
    if version not in served:
        text = f"Version {version} of model {model.name} is not served"
        raise StatusError(Code.NOT_FOUND, text)
    if labels := sorted(label for label, each in model.labels.items() if each == version):
        text = f"Version {version} has the label {', '.join(labels)}: remove or move it first"
        raise StatusError(Code.FAILED_PRECONDITION, text)
    return replace(model, policy=Specific(served - {version}))


def _label(_existing: Existing, model: ModelConfig, change: ModelChange) -> ModelConfig:
    if not change.label.strip() or len(change.label) > _LONGEST_LABEL:
        raise StatusError(Code.INVALID_ARGUMENT, "A label is a text of 1 to 256 characters")
    return replace(model, labels={**model.labels, change.label: _version(change)})


def _unlabel(_existing: Existing, model: ModelConfig, change: ModelChange) -> ModelConfig:
    if change.label not in model.labels:
        text = f"Model {model.name} has no label {change.label!r}"
        raise StatusError(Code.NOT_FOUND, text)
    kept = {label: each for label, each in model.labels.items() if label != change.label}
    return replace(model, labels=kept)


def _reset(existing: Existing, model: ModelConfig, _change: ModelChange) -> ModelConfig:
    start = existing.start.model(model.name)
    if start is None:
        text = f"The server started without model {model.name}"
        raise StatusError(Code.NOT_FOUND, text)
    return start


def _version(change: ModelChange) -> int:
    text = change.version[:_LONGEST_NUMBER]
    if not (text.isascii() and text.isdecimal() and int(text) < 2**63):
        raise StatusError(Code.INVALID_ARGUMENT, f"{text!r} is not a version number")
    return int(text)


_ACTIONS: Mapping[str, Callable[[Existing, ModelConfig, ModelChange], ModelConfig]] = {
    "load": _load,
    "unload": _unload,
    "label": _label,
    "unlabel": _unlabel,
    "reset": _reset,
}
