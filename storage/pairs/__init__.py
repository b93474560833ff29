"""Files of pairs: read in pieces, their faulty rows named, answered by a submission."""
