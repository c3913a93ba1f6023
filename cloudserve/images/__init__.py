"""Container images: rules on their names, a Dockerfile, and commands to rehearse them with.

Adapters and the offline clouds share the rules; nothing here starts a container.
"""
