"""Progress of long work: bars where they can move, lines elsewhere."""
