"""The options of a model server: from flags, or from a path on disk.

`server_options` are the resolved options. `flags` parses tensorflow_model_server's command line by
`flag_table`, and `flag_options` turns it into options; `serve_options` does so for a path. Imported
by the composition root and, by name, by the command line, which parses flags before it loads a
server's parts: therefore nothing is imported here.
"""
