"""Whether each service of Azure answers: by its name, over TLS, to our credential."""
