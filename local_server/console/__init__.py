"""The console: one page about a running server, with live data, and a page that reads OpenAPI.

`pages` answers with the static files, `app` with snapshots of the server's state as JSON and as
server-sent events. A `View` makes the snapshots; one describes a model server, one the offline
clouds. Nothing is computed or recorded unless a page is open. The composition roots
(`server.py`, `clouds/emulator.py`) import this package, and nothing else does.
"""
