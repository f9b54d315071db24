"""For maintainers of the generator: building the head, looking at it, timing it."""
