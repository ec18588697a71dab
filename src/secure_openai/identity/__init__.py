"""Who is asking: tokens in, principals out."""
