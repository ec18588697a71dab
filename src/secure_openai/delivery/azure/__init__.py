"""Slots of App Service and Functions, by Azure Resource Manager: no other room imports it."""
