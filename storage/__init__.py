"""Everything that outlives a run: sources, catalogs, crops, reports, results database."""
