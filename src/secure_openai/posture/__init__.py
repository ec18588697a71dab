"""The estate that the Terraform would build: its simulation, and the statements proven of it."""
