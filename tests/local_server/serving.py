"""Requests to a data plane, without a protocol."""

from cloudserve.local_server.inference.requests import Job


async def answer(inference, request, *, small=False, timeout_seconds=None):
    """Return a request's answer; with `small` the event loop may decode it."""
    parsed = request, lambda answer: answer
    job = Job(0, lambda: parsed, parsed if small else None, small_bytes=2**20)
    return await inference.serve(job, timeout_seconds)
