"""The laptop's Azure: identity provider, model server, and `up`."""
