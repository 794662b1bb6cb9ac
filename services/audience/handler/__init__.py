"""The work: follow the lake, and answer about conditions.

following  the index brought up to the lake once a second
segments   what is in force, as conditions ask about each other
answering  counts, differences, overlaps and explanations, as JSON
"""
