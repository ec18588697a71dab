"""The gateway as a person at a terminal uses it: signed in, streamed, and shown as plain text."""
