"""All models of a project on all targets, as a terminal shows them."""

import pytest

from cloudserve.cli.render.release.overview import overview_report
from cloudserve.errors import ConflictError
from cloudserve.release.inspection.overview import Standing


@pytest.mark.parametrize(("chosen", "option"), [("", ""), ("prod", " --env prod")])
def test_the_command_below_a_model_is_for_the_environment(chosen, option):
    error = ConflictError("it has no traffic", hint="cloudserve deploy half --target aws")
    (table,) = overview_report([Standing("half", "aws", error=error)], chosen).tables
    assert table.notes == {
        0: f"it has no traffic. To do: cloudserve deploy half --target aws{option}"
    }
