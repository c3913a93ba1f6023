"""An Airflow task as a plain function, for a PythonOperator.

    release = PythonOperator(
        task_id="release",
        python_callable=release_model,
        op_kwargs={"model": "fraud", "target": "aws", "version": "{{ ds_nodash }}"},
    )

Its result is JSON, so that the next task finds it in XCom. A retry of the task repeats nothing that
was done: an interrupted release is continued, and a finished one changes nothing.
"""

from __future__ import annotations

from typing import Any

import cloudserve
from cloudserve.errors import GateRefusedError


def release_model(
    model: str, target: str, version: str | int | None = None, project: str = "cloudserve.yaml"
) -> dict[str, Any]:
    """Deploy and promote a version of the project's model; return what happened.

    A refusal by a gate is a result, not an error, because a retry would be refused again: branch
    on `released`, for example with a ShortCircuitOperator. All other errors fail the task.
    """
    loaded = cloudserve.load_project(project)
    number = None if version is None else int(version)
    try:
        deployed = cloudserve.deploy(loaded, model, target, version=number)
        revision = deployed.plan.revision.id
        outcome = cloudserve.promote(loaded, model, target, version=revision)
    except GateRefusedError as error:
        refused = {
            verdict.gate: verdict.sentence for verdict in error.verdicts if verdict.is_refused
        }
        return {"released": False, "revision": error.plan.revision.id, "refused": refused}
    deployment = outcome.deployment
    return {
        "released": True,
        "revision": revision,
        "endpoint": deployment.endpoint,
        "traffic": dict(deployment.traffic),
    }
