"""SNS, as far as asynchronous endpoints need it: topics, and a file of what is published to each.

The runtime publishes to it; it imports the protocol and the permissions only.
"""
