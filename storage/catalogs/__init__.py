"""Catalogs: which image is by whom, checked, and split by artist."""
