"""The own interface, by its versions."""
