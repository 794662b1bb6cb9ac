"""Reports: what messages were worth, counted in the index.

target    the facts that a target action is, with their amounts
outcomes  what became of messages and of the control groups beside them
people    who stands behind a figure
"""
