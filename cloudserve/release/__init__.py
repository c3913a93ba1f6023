"""The release engine: nouns, provider contract, planner, executor, ledger. Knows no cloud."""
