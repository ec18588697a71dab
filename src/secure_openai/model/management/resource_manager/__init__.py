"""Deployments in Azure, by Resource Manager's client: no other room of `model` imports it."""
