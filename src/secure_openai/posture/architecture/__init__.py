"""The architecture as people read it: a page and a picture, drawn from the simulated estate."""
