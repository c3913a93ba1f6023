"""How an application calls an endpoint, as a terminal shows it."""

import pytest

import cloudserve
from cloudserve.cli.render.release.calling import call_lines, show_calls
from cloudserve.errors import RemoteError
from cloudserve.release.calling import CallExample, call_example


def test_each_way_is_a_line():
    ways = {"Python": 'cloudserve.Client("m@aws").predict(inputs)', "curl": "curl URL"}
    assert call_lines(CallExample("arn:aws:x", ways)) == [
        "",
        "Call it from an application:",
        "  endpoint  arn:aws:x",
        '  Python    cloudserve.Client("m@aws").predict(inputs)',
        "  curl      curl URL",
    ]


def test_a_log_shows_nothing(capsys):
    show_calls(lambda: CallExample("", {"Python": "p"}))
    assert capsys.readouterr().err == ""


def test_an_error_after_the_release_is_a_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    def refuse():
        raise RemoteError("no answer", hint="try again")

    show_calls(refuse)
    assert capsys.readouterr().err == "the ways to call it are not known: no answer\n"


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize("chosen", ["", "prod"])
def test_the_client_to_copy_asks_the_environment_of_the_release(project, chosen):
    file = project / "cloudserve.yaml"
    file.write_text(f"name: shop\nenvironments: {{prod: {{}}}}\n{file.read_text()}")
    loaded = cloudserve.load_project(file, environment=chosen)
    code = call_example(loaded, "half", "here").ways["Python"].removesuffix(".predict(inputs)")
    with eval(code) as client:
        assert client.destination.environment == chosen
