"""HTTP: pages, the JSON API and the OpenAI-compatible gateway."""
