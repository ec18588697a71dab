"""A small model that answers on the laptop, with an OpenAI-compatible address on loopback."""
