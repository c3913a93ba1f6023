"""The load generator of `cloudserve bench`: payloads, connections, closed and open loops.

`payloads` makes requests from a signature, `slots` defines a request in flight, `rest` and
`grpc_calls` send it, `engine` decides when, `recorder` keeps what happened, `bench` puts them
together. Imports the core, the codecs and the messages, never the server.
"""
