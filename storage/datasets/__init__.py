"""Datasets: the images of a split catalog, cropped, packed into a zip and decoded to an array."""
