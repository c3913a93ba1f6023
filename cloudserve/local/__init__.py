"""What runs on this machine, as the core sees it: servers, a model's run, repair and export."""
