"""The sample gallery: invented painters, each with a hand of their own."""
