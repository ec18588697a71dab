"""What is observed, by OpenTelemetry's API alone; whoever runs the application injects exporters.

Nothing here knows where observations go, and without an SDK they go nowhere. What may be observed
stands in `names.py`: no prompt, no answer, no token, no name or address of a person, no identifier
of a principal, and no setting would change that.
"""
