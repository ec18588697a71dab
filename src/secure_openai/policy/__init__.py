"""What may be asked: roles, deployments, limits, fields and characters."""
