"""Commands for images, from a project file and from options."""

from __future__ import annotations

import pytest

from cloudserve.errors import CloudserveError
from cloudserve.images.rehearsal import Rehearsal, of_options, of_project
from cloudserve.project import load_project

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"


@pytest.fixture
def project(tmp_path):
    """Give a function that loads a project whose targets have these fields."""

    def load(*targets: str):
        lines = [f"  t{index}: {{provider: sagemaker, {t}}}" for index, t in enumerate(targets)]
        text = "\n".join(["models: {m: {path: m}}", "targets:", *lines])
        (tmp_path / "cloudserve.yaml").write_text(text)
        return load_project(tmp_path / "cloudserve.yaml", environ={})

    return load


def test_a_target_names_the_command_of_its_image(project, tmp_path):
    named = f'image: "{IMAGE}", rehearse: {{command: "python -u \'my server.py\'"}}'
    result = of_project(project(named, named, "image: other"))
    assert result == {IMAGE: Rehearsal(("python", "-u", "my server.py"), tmp_path)}


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["rehearse: {command: python}"], "`rehearse` without an `image`"),
        ([f'image: "{IMAGE}", rehearse: {{cwd: x}}'], "`rehearse` must only have a `command`"),
        ([f'image: "{IMAGE}", rehearse: python'], "`rehearse` must only have a `command`"),
        ([f'image: "{IMAGE}", rehearse: {{command: 1}}'], "`command` must be text, not `1`"),
        ([f'image: "{IMAGE}", rehearse: {{command: ""}}'], "`command` is empty"),
        (
            [f"""image: "{IMAGE}", rehearse: {{command: "a 'b"}}"""],
            "`a 'b` is not a command: No closing quotation",
        ),
        (
            [f'image: "{IMAGE}", rehearse: {{command: {name}}}' for name in ("a", "b")],
            f"another target has another command for the image {IMAGE}",
        ),
    ],
)
def test_errors_name_the_wrong_field(project, targets, message):
    with pytest.raises(CloudserveError) as error:
        of_project(project(*targets))
    assert error.value.message == message
    assert "targets.t" in error.value.where


def test_options_name_commands_too(tmp_path):
    result = of_options([f"{IMAGE}=python server.py --x=y"], tmp_path)
    assert result == {IMAGE: Rehearsal(("python", "server.py", "--x=y"), tmp_path)}


@pytest.mark.parametrize("text", ["python server.py", "=python", f"{IMAGE}="])
def test_a_wrong_option_is_refused(text, tmp_path):
    with pytest.raises(CloudserveError):
        of_options([text], tmp_path)
