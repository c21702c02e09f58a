"""Learning: corrections in, a candidate and a decision out."""
