"""The administrator's desk: what it shows and does. Never the text of anyone's conversation."""
