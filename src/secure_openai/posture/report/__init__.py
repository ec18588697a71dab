"""A proof as people and machines read it."""
