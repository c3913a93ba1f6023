"""The last known state of a target: the answers of its services, kept on this machine.

For the release engine, adapters and stores, whose reads go through a `Tape`; knows no cloud.
"""
