"""The index of the lake: one DuckDB file, and conditions as SQL over it.

index      the file: opened, built anew, brought up to date
people     pieces of history and whose they are
happenings a table for each event name
said       attributes, kinds of identifiers, bucketing pairs
values     a JSON value in SQL, and the tests of it
windows    the instants that a condition looks at
leaves     a leaf as a query for people
answers    leaves answered and kept
details    what speaks for a leaf's truth about one person
"""
