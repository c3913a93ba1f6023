"""The compose example names what the offline clouds have."""

import shlex
from pathlib import Path

import yaml
from cloudserve.local_server.clouds.pointing import client_variables

from cloudserve.cli.commands.servers.emulate import command

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "examples" / "compose" / "compose.yaml"


def test_the_clouds_are_called_by_a_name_that_they_allow():
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    program, verb, *arguments = shlex.split(services["clouds"]["command"])
    names = ["-h", "--help"]  # those of all commands, kept with the command
    options = command.make_context("emulate", arguments, help_option_names=names).params
    assert (program, verb, options["host"]) == ("cloudserve", "emulate", "0.0.0.0")
    url = f"http://{options['allow_hosts'][0]}:{options['port']}"
    assert options["allow_hosts"] == ("clouds",)
    assert "ports" not in services["clouds"]
    variables = client_variables(options["data"] / "credentials", url)
    environment = services["tests"]["environment"]
    assert environment == {name: variables[name] for name in environment}
    mounts = {name: service["volumes"][-1] for name, service in services.items()}
    assert mounts == {"clouds": "clouds:/data", "tests": "clouds:/data:ro"}
    health = services["clouds"]["healthcheck"]["test"]
    assert health[1:] == ["cloudserve", "emulate", "status", "--data", str(options["data"])]
