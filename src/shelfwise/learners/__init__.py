"""Learners: from features and categories to scores, each a plain object with `fit` and `scores`."""
