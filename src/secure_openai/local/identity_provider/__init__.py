"""An Entra-shaped OpenID Connect issuer for the laptop, bound to loopback."""
