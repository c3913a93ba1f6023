"""The release engine: types, provider contract, planner, executor, ledger. Knows no cloud."""
