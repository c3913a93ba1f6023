"""Commands, one per module; `command_tree` imports a module when its command runs."""
