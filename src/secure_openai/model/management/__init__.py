"""Managing the deployments that answer: what is offered, what quota is left, create and delete."""
