"""`python -m cloudserve`: the command line, if its script is not on the path."""

from cloudserve.cli import main

main()
