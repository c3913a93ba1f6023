"""Commands that release models, or show what is released."""
