"""The offline clouds: control planes and object store, together on one port."""
