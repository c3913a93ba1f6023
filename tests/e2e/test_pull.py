"""A released model is pulled back by the real command line, from each cloud."""

import pytest

from cloudserve.savedmodel import read_tree

TARGETS = ("gcp", "aws")


@pytest.mark.parametrize("target", TARGETS)
def test_a_deployed_model_is_pulled_unchanged(terminal, target):
    terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")
    out = terminal.ok("pull", terminal.model, "-t", target, "--into", f"back/{target}")
    assert f"{terminal.model} v1-" in out
    back = terminal.folder / "back" / target
    assert read_tree(back) == read_tree(terminal.folder / "model" / "1")
    again = terminal.ok("pull", terminal.model, "-t", target, "--into", f"back/{target}")
    assert "already complete" in again


@pytest.mark.parametrize("target", TARGETS)
def test_a_pull_of_an_unknown_version_is_a_usage_error_that_names_the_known_ones(terminal, target):
    terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")
    code, out, err = terminal.run(
        "pull", terminal.model, "-t", target, "--version", "7", "--into", "back"
    )
    assert (code, out) == (2, "")
    assert f"version `7` of {terminal.model} was not uploaded" in err
    assert "name one of these: v1-" in err
    assert not (terminal.folder / "back").exists()
