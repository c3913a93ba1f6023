"""Checks of this machine, the project, and a target's account; `cloudserve doctor`.

Nothing is changed. For the CLI; an adapter may add checks of its platform (`DiagnosedProvider`).
"""
