"""The index of the lake: one DuckDB file, and conditions as SQL over it.

index       the file: opened, built anew, brought up to date
versions    how often each part of it has changed
cells       fresh facts row by row, for what is decided in Python
people      pieces of history and whose they are
happenings  a table for each event name
said        attributes, kinds of identifiers, bucketing pairs
consenting  words of consent
verdicts    what was decided about messages, and what became of them
values      a JSON value in SQL, and the tests of it
windows     the instants that a condition looks at
leaves      a leaf as a query for people
days        days that come back each year
answers     leaves answered and kept
personal    personal attributes: held apart, and never on a disk
details     what speaks for a leaf's truth about one person
"""
