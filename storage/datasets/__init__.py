"""Datasets: a split catalog's images, decoded, cropped, packed to zip and unpacked to pixels."""
