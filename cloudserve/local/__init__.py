"""What runs on this machine, as the core sees it: servers, one run of a model, its repair."""
