"""Version 1 of `shelfwise.v1.Categorizer`."""
