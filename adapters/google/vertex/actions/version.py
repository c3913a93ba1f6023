"""Actions on model versions: uploaded, deleted, named by aliases, marked as failed."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, assert_never

from cloudserve.errors import CloudserveError, RemoteError
from cloudserve.release.types import Revision
from cloudserve.storage.events import Reporter

from ....actions import out_of_date
from ..names import Names
from ..operations import ALREADY_EXISTS, OperationFailedError, Operations
from ..records import DEFAULT, FAILED, LIVE, PREVIOUS, STATE, Version, description
from ..snapshot import Snapshot, read_snapshot, require_endpoint, require_version
from .steps import (
    DeleteModel,
    DeleteVersion,
    RemoveVersion,
    SetAliases,
    SetLabels,
    UploadVersion,
    VersionStep,
)

if TYPE_CHECKING:
    from ..api import VertexApi

logger = logging.getLogger(__name__)


class VersionSteps:
    """What is done to the versions of a model. Each may be done twice: it changes once."""

    def __init__(self, api: VertexApi, operations: Operations, names: Names) -> None:
        self._api = api
        self._operations = operations
        self._names = names

    def perform(self, step: VersionStep, reporter: Reporter) -> None:
        """Carry out one action."""
        match step:
            case UploadVersion():
                self.upload(step, reporter)
            case DeleteVersion():
                self.delete(step, reporter)
            case RemoveVersion():
                self.remove(step, reporter)
            case DeleteModel():
                self.delete_all(step.model, reporter)
            case SetAliases():
                self.set_aliases(step)
            case SetLabels():
                self.set_labels(step)
            case _:
                assert_never(step)

    def upload(self, step: UploadVersion, reporter: Reporter) -> None:
        """Upload a revision as a version if it is missing or has failed."""
        model = step.model
        model_id = self._names.model(model)
        where = self._api.url(self._api.model_name(model_id))
        self._operations.settle(self._api.model_name(model_id), where, reporter)
        snapshot = read_snapshot(self._api, self._names, model)
        if self._is_uploaded(snapshot, step, reporter):
            return
        body: dict[str, Any] = {"model": self._version_body(step)}
        key, value = ("modelId", model_id)
        if snapshot.exists:
            key, value = ("parentModel", self._api.model_name(model_id))
        try:
            operation = self._api.upload({key: value, **body})
            self._operations.finish(operation, "upload the model version", where, reporter)
        except RemoteError as error:
            # An earlier run's request arrived after all.
            is_ours = is_conflict(error) and self._is_uploaded(
                read_snapshot(self._api, self._names, model), step, reporter
            )
            if not is_ours:
                raise

    def _is_uploaded(self, snapshot: Snapshot, step: UploadVersion, reporter: Reporter) -> bool:
        existing = snapshot.version(step.revision)
        if existing is None or existing.failed or existing.container != step.container:
            return False
        reporter.line(f"version {existing.number} of {snapshot.model_id} already exists")
        return True

    def _version_body(self, step: UploadVersion) -> dict[str, Any]:
        """Return a Model (aiplatform v1)."""
        revision = Revision(step.number, step.digest)
        return {
            "displayName": step.model,
            "artifactUri": step.source,
            "containerSpec": step.spec,
            "labels": self._names.labels(step.model, revision, step.labels),
            "versionAliases": [revision.id],
            "versionDescription": description(revision, step.container),
            **step.fields,
        }

    def remove(self, step: RemoveVersion, reporter: Reporter) -> None:
        """Delete a version that is a revision, after its alias `default` is given to another.

        Raises ConflictError if the version is another revision's, or is the only one.
        """
        model, number = step.model, step.version
        model_id = self._names.model(model)
        where = self._api.url(self._api.model_name(model_id, number))
        self._operations.settle(self._api.model_name(model_id), where, reporter)
        snapshot = read_snapshot(self._api, self._names, model)
        every = {version.number: version for version in (*snapshot.versions, *snapshot.superseded)}
        version = every.pop(number, None)
        if version is None:
            reporter.line(f"version {number}: gone already")
            return
        if version.revision.digest != step.digest or (DEFAULT in version.aliases and not every):
            raise out_of_date(
                f"version {number} of {model_id} is another revision's, or the last one of ours",
                where,
            )
        if DEFAULT in version.aliases:
            self._api.merge_aliases(model_id, max(every, key=int), [DEFAULT])
        operation = self._api.delete_version(model_id, number)
        if operation is not None:
            self._operations.finish(operation, "delete the model version", where, reporter)

    def delete_all(self, model: str, reporter: Reporter) -> None:
        """Delete the model with its versions; raises ConflictError if some are others'."""
        model_id = self._names.model(model)
        name = self._api.model_name(model_id)
        where = self._api.url(name)
        self._operations.settle(name, where, reporter)
        snapshot = read_snapshot(self._api, self._names, model)
        if not snapshot.exists:
            return
        if snapshot.records != len(snapshot.versions) + len(snapshot.superseded):
            raise out_of_date(
                f"the model {model_id} has versions that cloudserve did not make", where
            )
        operation = self._api.delete_model(model_id)
        if operation is not None:
            self._operations.finish(operation, "delete the model", where, reporter)

    def delete(self, step: DeleteVersion, reporter: Reporter) -> None:
        """Delete a version that was replaced.

        Raises ConflictError if the number is another's: the revision is deployed with it again, or
        the model was deleted and uploaded again, and its numbers begin at 1.
        """
        model, number = step.model, step.version
        model_id = self._names.model(model)
        snapshot = read_snapshot(self._api, self._names, model)
        replaced = {v.number for v in snapshot.superseded if v.revision.id == step.revision}
        if number not in replaced:
            self._refuse_existing(model_id, number, step.revision)
            reporter.line(f"version {number}: gone already")
            return
        operation = self._api.delete_version(model_id, number)
        if operation is not None:
            where = self._api.url(self._api.model_name(model_id, number))
            self._operations.finish(operation, "delete the model version", where, reporter)

    def _refuse_existing(self, model_id: str, number: str, revision: str) -> None:
        """Raise ConflictError if the model has a version of this number."""
        versions = self._api.versions(model_id) or ()
        if number in {str(version.get("versionId")) for version in versions}:
            raise out_of_date(
                f"{revision} did not replace version {number} of {model_id}",
                self._api.url(self._api.model_name(model_id, number)),
            )

    def set_aliases(self, step: SetAliases) -> None:
        """Give a revision's version the aliases of the live one, and the one before `previous`."""
        snapshot = read_snapshot(self._api, self._names, step.model)
        version = require_version(self._api, snapshot, step.revision)
        before = snapshot.holder(LIVE)
        if before is not None and before.number != version.number:
            self._api.merge_aliases(snapshot.model_id, before.number, [PREVIOUS])
        if not {LIVE, DEFAULT} <= version.aliases:
            self._api.merge_aliases(snapshot.model_id, version.number, [LIVE, DEFAULT])

    def set_labels(self, step: SetLabels) -> None:
        """Add labels to the endpoint, or to a version; raises ConflictError for another owner's."""
        snapshot = read_snapshot(self._api, self._names, step.model)
        if step.version:
            versions = (v for v in snapshot.versions if v.number == step.version)
            version = next(versions, None)
            name = self._api.model_name(snapshot.model_id, step.version)
            if version is None:
                raise out_of_date(f"the version {name} no longer exists", self._api.url(name))
            labels = {**version.record.get("labels", {}), **step.labels}
            body = {"labels": labels, "etag": version.record.get("etag", "")}
            self._api.patch_version(snapshot.model_id, step.version, "labels", body)
            return
        endpoint = require_endpoint(self._api, snapshot)
        body = {"labels": {**endpoint.labels, **step.labels}, "etag": endpoint.etag}
        self._api.patch_endpoint(snapshot.endpoint_id, "labels", body)

    def mark_failed(self, model: str, version: Version, reason: str) -> None:
        """Write the failure on the version, so that every later run sees it; other labels stay."""
        revision = version.revision
        existing = version.record.get("labels", {})
        labels = {**existing, **self._names.labels(model, revision), STATE: FAILED}
        text = description(revision, version.container or "0", reason)
        try:
            self._api.patch_version(
                self._names.model(model),
                version.number,
                "labels,versionDescription",
                {"labels": labels, "versionDescription": text},
            )
        except CloudserveError as error:  # the deployment's own failure is reported instead
            logger.warning("version %s is not marked as failed: %s", version.number, error)


def is_conflict(error: RemoteError) -> bool:
    """Return whether a name is taken: by the answer, or by how the operation ended."""
    code = error.code if isinstance(error, OperationFailedError) else None
    return error.status == HTTPStatus.CONFLICT or code == ALREADY_EXISTS
