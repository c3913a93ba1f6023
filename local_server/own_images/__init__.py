"""Container images of the user's own, run offline as a command on this machine.

A `CommandServer` is one container: a process in a container's environment, its health checks, its
requests. The offline SageMaker and Vertex AI put their container contracts on it.
"""

from ..child_processes import Mount
from .process import Command, expand
from .server import CommandServer, Launch, NoAnswerError, Reply, free_port

__all__ = [
    "Command",
    "CommandServer",
    "Launch",
    "Mount",
    "NoAnswerError",
    "Reply",
    "expand",
    "free_port",
]
