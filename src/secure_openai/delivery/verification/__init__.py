"""What an estate that stands shows of itself, from outside and from inside, as signed evidence."""
