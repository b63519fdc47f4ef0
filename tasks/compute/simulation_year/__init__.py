"""A simulated year of the whole loop on counts, with known truth (docs/learning.md, ``rematch simulate-year``)."""
