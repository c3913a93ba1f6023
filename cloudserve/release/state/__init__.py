"""Release state in a model's bucket: where it lies, ledger, lock, unfinished releases."""
