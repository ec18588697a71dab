"""How the product looks at an organisation's: its name, its colours, what it says to its people."""

from secure_openai.appearance.document import Appearance, Written
from secure_openai.appearance.logo import Logo

__all__ = ["Appearance", "Logo", "Written"]
