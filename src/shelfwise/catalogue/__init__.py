"""The catalogue: from files of any shape to clean products, categories and splits."""
