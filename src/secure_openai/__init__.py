"""Azure Secure OpenAI Development Framework: private, keyless and signed-in by default."""

__version__ = "0.1.0"
