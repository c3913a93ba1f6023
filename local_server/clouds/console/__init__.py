"""The console of the offline clouds: resources, objects, releases, calls and faults as records.

`view` reads what the clouds store; `calls` is in front of the services and keeps the last calls.
Imported by `clouds/emulator.py` alone.
"""
