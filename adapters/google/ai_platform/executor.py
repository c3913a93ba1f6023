"""Carry out AI Platform actions and wait for their end. Each may be done twice: it changes once."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from cloudserve.errors import ConflictError, RemoteError, UnreachableError, UserError
from cloudserve.release.nouns import Action, Revision
from cloudserve.storage.contract import Notify

from ...polling import Poller
from ..console import version_log
from ..labels import version_labels
from .names import Names
from .records import platform_name, revision_of

if TYPE_CHECKING:
    from .api import MlClient

Args = Mapping[str, str | int | float]


class Performer:
    """Performs the actions that `ai_platform.py` plans."""

    def __init__(self, ml: MlClient, poller: Poller, names: Names) -> None:
        self._ml = ml
        self._names = names
        self._poller = poller

    def perform(self, action: Action, notify: Notify) -> None:
        """Carry out one action; raises UserError for a kind that is not AI Platform's."""
        args = action.args
        match action.kind:
            case "create-model":
                self._create_model(args, notify)
            case "create-version":
                self._create_version(args, notify)
            case "await-version":
                self._await_version(*self._named(args), notify)
            case "delete-version":
                self._delete_version(args, notify)
            case "remove-version":
                self._remove_version(args, notify)
            case "delete-model":
                self._delete_model(args, notify)
            case "set-default":
                self._ml.set_default(*self._named(args))
            case kind:
                raise UserError(
                    f"ai-platform does not know the action `{kind}`", hint="make the plan again"
                )

    def _create_model(self, args: Args, notify: Notify) -> None:
        model = str(args["model"])
        name = self._names.model(model)
        labels = self._names.labels(model)
        body = {"name": name, "regions": [args["region"]], "labels": labels}
        try:
            self._ml.create_model(body)
        except RemoteError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self._names.check(self._ml, model)
            notify(f"model {name}: there already")

    def _create_version(self, args: Args, notify: Notify) -> None:
        model, version = self._named(args)
        try:
            operation = self._ml.create_version(model, self._version_body(args))
        except RemoteError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self._adopt(args, notify)
        else:
            self._await_operation(operation, model, version, notify)

    def _adopt(self, args: Args, notify: Notify) -> None:
        model, version = self._named(args)
        found = self._ml.get_version(model, version) or {}
        revision = revision_of(found) if found else None
        if revision is None or revision.digest != args["digest"]:
            raise ConflictError(
                f"version {version} is there and is not this model",
                where=self._ml.url(model, version),
                hint="delete that version, or release the model under another name",
            )
        notify(f"version {version}: there already")
        self._await_version(model, version, notify)

    def _delete_version(self, args: Args, notify: Notify) -> None:
        model, version = self._named(args)
        found = self._ml.get_version(model, version)
        if found is None:
            return
        if found.get("state") != "FAILED" or revision_of(found) is None:
            raise ConflictError(
                f"version {version} is {found.get('state', 'there')}, no longer failed",
                where=self._ml.url(model, version),
                hint="run the same command again: the plan is out of date",
            )
        operation = self._ml.delete_version(model, version)
        if operation is not None:
            self._await_operation(operation, model, version, notify)

    def _remove_version(self, args: Args, notify: Notify) -> None:
        """Delete a version in whatever state it is, once what is under way on it is done."""
        model, version = self._named(args)
        found = self._poller.until(
            lambda: self._settled(model, version),
            what=f"version {version}",
            where=self._ml.url(model, version),
            notify=notify,
        )
        if not found:
            return
        revision = revision_of(found)
        if revision is None or revision.id != args["revision"]:
            raise ConflictError(
                f"version {version} is there and is not this model",
                where=self._ml.url(model, version),
                hint="delete that version by hand",
            )
        operation = self._ml.delete_version(model, version)
        if operation is not None:
            self._await_operation(operation, model, version, notify)

    def _settled(self, model: str, version: str) -> Mapping[str, Any] | None:
        """Return a version in a state that lasts, {} if it is gone, None while it changes."""
        found = self._ml.get_version(model, version) or {}
        return None if found.get("state") in {"CREATING", "UPDATING", "DELETING"} else found

    def _delete_model(self, args: Args, notify: Notify) -> None:
        model = str(args["model"])
        name = self._names.model(model)
        if self._names.check(self._ml, model) is None:
            return
        operation = self._ml.delete_model(name)
        if operation is not None:
            self._await_operation(operation, name, "", notify)

    def _await_operation(
        self, operation: Mapping[str, Any], model: str, version: str, notify: Notify
    ) -> None:
        name, where = str(operation["name"]), self._ml.url(model, version)

        def probe() -> Mapping[str, Any] | None:
            now = self._ml.operation(name)
            return now if now.get("done") else None

        if not operation.get("done"):
            notify(f"operation {name.rpartition('/')[2]} is running")
            try:
                operation = self._poller.until(
                    probe, what=f"operation {name}", where=where, notify=notify
                )
            except (UnreachableError, KeyboardInterrupt) as error:
                error.add_note(f"the operation goes on in the cloud: {name}")
                raise
        if "error" in operation:  # first: a failed operation has no `response`
            reason = str(operation["error"].get("message", "no reason given"))
            raise self._failed(reason, model, version, name)

    def _await_version(self, model: str, version: str, notify: Notify) -> None:
        where = self._ml.url(model, version)

        def probe() -> Mapping[str, Any] | None:
            now = self._ml.get_version(model, version)
            if now is None:
                raise self._failed(f"version {version} is gone", model, version)
            return now if now.get("state") in {"READY", "FAILED"} else None

        found = self._poller.until(probe, what=f"version {version}", where=where, notify=notify)
        if found["state"] == "FAILED":
            reason = found.get("errorMessage", "no reason given")
            raise self._failed(reason, model, version)

    def _failed(
        self, reason: str, model: str, version: str, operation: str | None = None
    ) -> RemoteError:
        log = version_log(self._ml.project, model, version)
        return RemoteError(
            reason,
            where=self._ml.url(model, version),
            hint=f"correct the cause and deploy again: what failed is replaced; its log: {log}",
            request_id=operation,
        )

    def _named(self, args: Args) -> tuple[str, str]:
        return self._names.model(str(args["model"])), platform_name(str(args["revision"]))

    def _version_body(self, args: Args) -> dict[str, Any]:
        """Return a Version (ml v1) for the arguments of `create-version`."""
        labels = msgspec.json.decode(str(args["labels"]), type=dict[str, str])
        revision = Revision(int(args["number"]), str(args["digest"]))
        own = self._names.labels(str(args["model"]))
        return {
            "name": platform_name(str(args["revision"])),
            "deploymentUri": args["source"],
            "labels": {**labels, **own, **version_labels(revision)},
            **msgspec.json.decode(str(args["settings"]), type=dict[str, Any]),
        }
