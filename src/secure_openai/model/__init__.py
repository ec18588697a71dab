"""The deployments that answer."""
