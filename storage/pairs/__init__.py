"""Files of pairs: reading, faulty rows, and the submission."""
