"""A package small enough to read in a minute, tested as a large one would be."""
