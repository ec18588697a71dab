"""Public fakes and contract suites for whoever implements an interface."""
