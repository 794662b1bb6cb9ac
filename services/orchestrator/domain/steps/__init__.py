"""What a run does on a step, one module for what is of a kind: `act(turn, plan, run, step, moment)` gives where it goes on, or None: it
stays there, and has put itself with its timer or with what it waits for.
"""
