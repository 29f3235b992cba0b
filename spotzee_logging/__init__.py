"""Business events ride on Python's logging and arrive at Spotzee in batches."""
