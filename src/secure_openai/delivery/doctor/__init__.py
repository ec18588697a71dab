"""What would stop an estate from being built, told before anything is."""
