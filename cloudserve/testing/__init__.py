"""Contracts as abstract test suites, for built-in and third-party adapters.

Subclass `blob_contract.BlobStoreContract`, `blob_contract_parts.PartStoreContract` (of buckets that
take files in parts), `provider_contract.ProviderContract` and
`ownership_contract.OwnershipContract` in a test module, define the fixtures they name, and pytest
runs the whole contract. They need pytest.
"""
