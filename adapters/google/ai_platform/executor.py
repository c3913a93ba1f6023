"""The executor of AI Platform's actions. Each action is idempotent, and waits for its end."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, assert_never

from cloudserve.errors import ConflictError, RemoteError, UnreachableError
from cloudserve.release.types import Action, Revision
from cloudserve.storage.events import Reporter

from ...actions import out_of_date, typed
from ...polling import Poller
from ..console import version_log
from ..labels import version_labels
from .actions import (
    AwaitVersion,
    CreateModel,
    CreateVersion,
    DeleteModel,
    DeleteVersion,
    OfVersion,
    RemoveVersion,
    SetDefault,
    Step,
)
from .names import Names
from .records import platform_name, revision_of

if TYPE_CHECKING:
    from .api import MlClient


class Performer:
    """Performs the actions that the provider plans."""

    def __init__(self, ml: MlClient, poller: Poller, names: Names) -> None:
        self._ml = ml
        self._names = names
        self._poller = poller

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Carry out one action; raises UserError for a kind that is not AI Platform's."""
        step: Step = typed(action, Step, "ai-platform")
        match step:
            case CreateModel():
                self._create_model(step, reporter)
            case CreateVersion():
                self._create_version(step, reporter)
            case AwaitVersion():
                self._await_version(*self._named(step), reporter)
            case DeleteVersion():
                self._delete_version(step, reporter)
            case RemoveVersion():
                self._remove_version(step, reporter)
            case DeleteModel():
                self._delete_model(step.model, reporter)
            case SetDefault():
                self._ml.set_default(*self._named(step))
            case _:
                assert_never(step)

    def _create_model(self, step: CreateModel, reporter: Reporter) -> None:
        name = self._names.model(step.model)
        labels = self._names.labels(step.model)
        body = {"name": name, "regions": [step.region], "labels": labels}
        try:
            self._ml.create_model(body)
        except RemoteError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self._names.check(self._ml, step.model)
            reporter.line(f"model {name} already exists")

    def _create_version(self, step: CreateVersion, reporter: Reporter) -> None:
        model, version = self._named(step)
        try:
            operation = self._ml.create_version(model, self._version_body(step))
        except RemoteError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self._adopt(step, reporter)
        else:
            self._await_operation(operation, model, version, reporter)

    def _adopt(self, step: CreateVersion, reporter: Reporter) -> None:
        model, version = self._named(step)
        record = self._ml.get_version(model, version) or {}
        revision = revision_of(record) if record else None
        if revision is None or revision.digest != step.digest:
            raise ConflictError(
                f"version {version} exists and is not this model",
                where=self._ml.url(model, version),
                hint="delete that version, or release the model under another name",
            )
        reporter.line(f"version {version} already exists")
        self._await_version(model, version, reporter)

    def _delete_version(self, step: DeleteVersion, reporter: Reporter) -> None:
        model, version = self._named(step)
        record = self._ml.get_version(model, version)
        if record is None:
            return
        if record.get("state") != "FAILED" or revision_of(record) is None:
            message = f"version {version} is {record.get('state', 'there')}, no longer failed"
            raise out_of_date(message, self._ml.url(model, version))
        operation = self._ml.delete_version(model, version)
        if operation is not None:
            self._await_operation(operation, model, version, reporter)

    def _remove_version(self, step: RemoveVersion, reporter: Reporter) -> None:
        """Delete a version in whatever state it is, after an operation on it that is running."""
        model, version = self._named(step)
        record = self._poller.until(
            lambda: self._settled(model, version),
            what=f"version {version}",
            where=self._ml.url(model, version),
            reporter=reporter,
        )
        if not record:
            return
        revision = revision_of(record)
        if revision is None or revision.id != step.revision:
            raise ConflictError(
                f"version {version} exists and is not this model",
                where=self._ml.url(model, version),
                hint="delete that version by hand",
            )
        operation = self._ml.delete_version(model, version)
        if operation is not None:
            self._await_operation(operation, model, version, reporter)

    def _settled(self, model: str, version: str) -> Mapping[str, Any] | None:
        """Return a version in a state that lasts, {} if it is gone, None while it changes."""
        record = self._ml.get_version(model, version) or {}
        return None if record.get("state") in {"CREATING", "UPDATING", "DELETING"} else record

    def _delete_model(self, model: str, reporter: Reporter) -> None:
        name = self._names.model(model)
        if self._names.check(self._ml, model) is None:
            return
        operation = self._ml.delete_model(name)
        if operation is not None:
            self._await_operation(operation, name, "", reporter)

    def _await_operation(
        self, operation: Mapping[str, Any], model: str, version: str, reporter: Reporter
    ) -> None:
        name, where = str(operation["name"]), self._ml.url(model, version)

        def probe() -> Mapping[str, Any] | None:
            now = self._ml.operation(name)
            return now if now.get("done") else None

        if not operation.get("done"):
            reporter.line(f"operation {name.rpartition('/')[2]} is running")
            try:
                operation = self._poller.until(
                    probe, what=f"operation {name}", where=where, reporter=reporter
                )
            except (UnreachableError, KeyboardInterrupt) as error:
                error.add_note(f"the operation continues in the cloud: {name}")
                raise
        if "error" in operation:  # first: a failed operation has no `response`
            reason = str(operation["error"].get("message", "no reason given"))
            raise self._failed(reason, model, version, name)

    def _await_version(self, model: str, version: str, reporter: Reporter) -> None:
        where, state = self._ml.url(model, version), ""

        def probe() -> Mapping[str, Any] | None:
            nonlocal state
            now = self._ml.get_version(model, version)
            if now is None:
                raise self._failed(f"version {version} is gone", model, version)
            state = str(now.get("state", ""))
            return now if state in {"READY", "FAILED"} else None

        record = self._poller.until(
            probe, what=f"version {version}", where=where, reporter=reporter, state=lambda: state
        )
        if record["state"] == "FAILED":
            reason = record.get("errorMessage", "no reason given")
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

    def _named(self, step: OfVersion) -> tuple[str, str]:
        return self._names.model(step.model), platform_name(step.revision)

    def _version_body(self, step: CreateVersion) -> dict[str, Any]:
        """Return the body of versions.create (ml v1, Version)."""
        own = self._names.labels(step.model)
        revision = Revision(step.number, step.digest)
        return {
            "name": platform_name(revision.id),
            "deploymentUri": step.source,
            "labels": {**step.labels, **own, **version_labels(revision)},
            **step.settings,
        }
