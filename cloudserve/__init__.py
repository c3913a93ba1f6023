"""Take a TensorFlow SavedModel to a managed endpoint; rehearse every step offline first.

This is the public API. Names are imported on first use, so importing the package stays cheap.

    project = cloudserve.load_project("cloudserve.yaml")
    cloudserve.deploy(project, "mnist", "aws")
    cloudserve.promote(project, "mnist", "aws")
    cloudserve.Client(project, "mnist", "aws").predict([[0.0] * 784]).array
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cloudserve._version import __version__

if TYPE_CHECKING:
    from cloudserve.api import (
        apply,
        approve,
        deploy,
        drift,
        export,
        gc,
        history,
        plan,
        promote,
        promote_by_canary,
        pull,
        read_logs,
        remember,
        rollback,
        status,
        undeploy,
    )
    from cloudserve.client import (
        Access,
        Answer,
        AsyncClient,
        Client,
        Mirror,
        MirrorReport,
        Retry,
        Weights,
        example,
    )
    from cloudserve.errors import CloudserveError
    from cloudserve.local.model_export import (
        ExamplesInput,
        ExportReport,
        ImageInput,
        TensorNames,
    )
    from cloudserve.local.offline import OfflineClouds, offline_clouds
    from cloudserve.logs.contract import LogLine
    from cloudserve.predict.batch import BatchResult, run_batch
    from cloudserve.project import Model, Project, Target, load_project
    from cloudserve.release.canary.rules import CanaryRules
    from cloudserve.release.canary.run import CanaryOutcome, Decided
    from cloudserve.release.inspection.diff import Comparison, diff
    from cloudserve.release.inspection.drift import Drift, DriftReport
    from cloudserve.release.planning.plan_file import read_plan, write_plan
    from cloudserve.release.state.entries import Release
    from cloudserve.release.transfer.pull import Pulled
    from cloudserve.release.types import (
        Action,
        Deployed,
        Deployment,
        GateStep,
        Outcome,
        Plan,
        Revision,
    )
    from cloudserve.release.verdict import Verdict
    from cloudserve.savedmodel import Contract, Difference, SavedModel
    from cloudserve.savedmodel import read_saved_model as inspect

_NAMES = {
    "Access": "cloudserve.client:Access",
    "Action": "cloudserve.release.types:Action",
    "Answer": "cloudserve.client:Answer",
    "AsyncClient": "cloudserve.client:AsyncClient",
    "BatchResult": "cloudserve.predict.batch:BatchResult",
    "CanaryOutcome": "cloudserve.release.canary.run:CanaryOutcome",
    "CanaryRules": "cloudserve.release.canary.rules:CanaryRules",
    "Client": "cloudserve.client:Client",
    "CloudserveError": "cloudserve.errors:CloudserveError",
    "Comparison": "cloudserve.release.inspection.diff:Comparison",
    "Contract": "cloudserve.savedmodel:Contract",
    "Decided": "cloudserve.release.canary.run:Decided",
    "Deployed": "cloudserve.release.types:Deployed",
    "Deployment": "cloudserve.release.types:Deployment",
    "Drift": "cloudserve.release.inspection.drift:Drift",
    "DriftReport": "cloudserve.release.inspection.drift:DriftReport",
    "Difference": "cloudserve.savedmodel:Difference",
    "ExamplesInput": "cloudserve.local.model_export:ExamplesInput",
    "ExportReport": "cloudserve.local.model_export:ExportReport",
    "GateStep": "cloudserve.release.types:GateStep",
    "ImageInput": "cloudserve.local.model_export:ImageInput",
    "LogLine": "cloudserve.logs.contract:LogLine",
    "Mirror": "cloudserve.client:Mirror",
    "MirrorReport": "cloudserve.client:MirrorReport",
    "Model": "cloudserve.project:Model",
    "OfflineClouds": "cloudserve.local.offline:OfflineClouds",
    "Outcome": "cloudserve.release.types:Outcome",
    "Plan": "cloudserve.release.types:Plan",
    "Project": "cloudserve.project:Project",
    "Pulled": "cloudserve.release.transfer.pull:Pulled",
    "Retry": "cloudserve.client:Retry",
    "Release": "cloudserve.release.state.entries:Release",
    "Revision": "cloudserve.release.types:Revision",
    "SavedModel": "cloudserve.savedmodel:SavedModel",
    "Target": "cloudserve.project:Target",
    "TensorNames": "cloudserve.local.model_export:TensorNames",
    "Verdict": "cloudserve.release.verdict:Verdict",
    "Weights": "cloudserve.client:Weights",
    "apply": "cloudserve.api:apply",
    "approve": "cloudserve.api:approve",
    "deploy": "cloudserve.api:deploy",
    "diff": "cloudserve.release.inspection.diff:diff",
    "drift": "cloudserve.api:drift",
    "example": "cloudserve.client:example",
    "export": "cloudserve.api:export",
    "gc": "cloudserve.api:gc",
    "history": "cloudserve.api:history",
    "inspect": "cloudserve.savedmodel:read_saved_model",
    "load_project": "cloudserve.project:load_project",
    "offline_clouds": "cloudserve.local.offline:offline_clouds",
    "plan": "cloudserve.api:plan",
    "promote": "cloudserve.api:promote",
    "promote_by_canary": "cloudserve.api:promote_by_canary",
    "pull": "cloudserve.api:pull",
    "read_logs": "cloudserve.api:read_logs",
    "read_plan": "cloudserve.release.planning.plan_file:read_plan",
    "remember": "cloudserve.api:remember",
    "rollback": "cloudserve.api:rollback",
    "run_batch": "cloudserve.predict.batch:run_batch",
    "status": "cloudserve.api:status",
    "undeploy": "cloudserve.api:undeploy",
    "write_plan": "cloudserve.release.planning.plan_file:write_plan",
}

__all__ = [
    "Access",
    "Action",
    "Answer",
    "AsyncClient",
    "BatchResult",
    "CanaryOutcome",
    "CanaryRules",
    "Client",
    "CloudserveError",
    "Comparison",
    "Contract",
    "Decided",
    "Deployed",
    "Deployment",
    "Difference",
    "Drift",
    "DriftReport",
    "ExamplesInput",
    "ExportReport",
    "GateStep",
    "ImageInput",
    "LogLine",
    "Mirror",
    "MirrorReport",
    "Model",
    "OfflineClouds",
    "Outcome",
    "Plan",
    "Project",
    "Pulled",
    "Release",
    "Retry",
    "Revision",
    "SavedModel",
    "Target",
    "TensorNames",
    "Verdict",
    "Weights",
    "__version__",
    "apply",
    "approve",
    "deploy",
    "diff",
    "drift",
    "example",
    "export",
    "gc",
    "history",
    "inspect",
    "load_project",
    "offline_clouds",
    "plan",
    "promote",
    "promote_by_canary",
    "pull",
    "read_logs",
    "read_plan",
    "remember",
    "rollback",
    "run_batch",
    "status",
    "undeploy",
    "write_plan",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _NAMES[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
