"""The revisions, in order; what is released is never changed, only followed by another."""
