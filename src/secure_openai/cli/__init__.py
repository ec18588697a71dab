"""The command line: `secure-openai`."""

from secure_openai.cli.main import main

__all__ = ["main"]
