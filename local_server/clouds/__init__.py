"""The offline clouds: control planes, object store, composition on one port."""
