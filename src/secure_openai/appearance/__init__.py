"""How the product looks at an organisation's: its name, its colours, what it says to its people."""
