"""Decisions: one calibrated probability for each category, and promises about what is accepted."""
