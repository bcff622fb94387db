"""Features: products as numbers, before anything is learned from their categories."""
