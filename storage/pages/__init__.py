"""Pages to look at in any browser: from disk, without a server or a network."""
