"""One package per cloud, each behind the Provider protocol of `cloudserve.release.provider`.

May import: `cloudserve.*` (the core) and itself, relatively. Never `cloudserve.local_server`.
Found by name through the entry points `cloudserve.adapters`, as anybody's adapter is.
"""
