"""What a tree of conditions makes of the answers to its leaves. Pure.

composing     sets of people by all, any and not
unanswerable  what the lake cannot answer, with the place in the document
whose         to whom a piece of history belongs after merges
said          attributes as the facts of the lake say them
world         what is in force when a question is asked
"""
