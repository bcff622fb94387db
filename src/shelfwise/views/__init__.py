"""The views of a product: text, and dense vectors of text, pictures and tables; all of them give scores."""
