"""`make hillstrom`: a published test of letters, imported through the public interfaces, reported, and held against other libraries."""
