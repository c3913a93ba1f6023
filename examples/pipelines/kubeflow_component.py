"""A lightweight component of Kubeflow Pipelines, for `dsl.component`.

    release = dsl.component(
        release_model, base_image="python:3.11", packages_to_install=["cloudserve[aws]"]
    )

Kubeflow sends the source of the function to the cluster without its module, so it imports what it
needs itself and has parameters of plain types.
Source: Kubeflow Pipelines documentation, "Lightweight Python Components".
"""


def release_model(model_directory: str, model: str, target: str, project_file: str) -> str:
    """Deploy and promote the newest version below a directory; return the revision that is live.

    The component fails if a gate of the target refuses the version.
    """
    import dataclasses
    import pathlib

    import cloudserve

    project = cloudserve.load_project(project_file)
    base = cloudserve.Model(model, pathlib.Path(model_directory))
    project = dataclasses.replace(project, models={model: base})
    deployed = cloudserve.deploy(project, model, target, notify=print)
    revision = deployed.plan.revision.id
    cloudserve.promote(project, model, target, version=revision, notify=print)
    return revision
