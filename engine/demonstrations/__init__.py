"""Demonstration libraries: labelled examples of one task in a memory bank, and classification with them."""
