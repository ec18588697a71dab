"""The documentation: built, current, and run."""
