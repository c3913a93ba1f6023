"""Contracts as abstract test suites, for built-in and foreign adapters alike.

Subclass `blob_contract.BlobStoreContract` and `provider_contract.ProviderContract` in a test
module, give the fixtures they name, and pytest runs the whole contract. They need pytest.
"""
