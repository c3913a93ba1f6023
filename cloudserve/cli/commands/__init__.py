"""One module per command; `command_tree` imports a module when its command runs."""
