"""What outlives a run: sources, catalogs, crops, reports and the results database."""
