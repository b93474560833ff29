"""Reports: what a run found, in words and pictures."""
