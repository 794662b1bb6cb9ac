"""`otklik rebuild`: derived state made anew in an empty database, and compared with the live one at one stated instant (law 12)."""
