"""Sample data that comes with seqlab."""
