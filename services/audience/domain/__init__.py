"""What a tree of conditions makes of the answers to its leaves. Pure.

composing     sets of people by all, any and not; and one person's truth, node by node
unanswerable  what the lake cannot answer, with the place in the document
whose         to whom a piece of history belongs after merges and unmerges
said          attributes as the facts of the lake say them
"""
