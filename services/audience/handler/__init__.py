"""The work: follow the lake, and answer about conditions.

following  the index brought up to the lake once a second
in_force   the segments and topics in force, as conditions ask about each other
answering  counts, differences, overlaps and explanations, as JSON
opening    the people behind a figure of a report
"""
