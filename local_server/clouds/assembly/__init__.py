"""The services of the offline clouds, built from the options of a command.

`emulator.py` imports `clouds`; `settings`, `shared` and a module for each company's services are
its parts. Nothing here listens on a port.
"""
