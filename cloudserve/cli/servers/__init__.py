"""How a command runs a server: its loop, logs and variables, a child beside it, a detached one."""
