"""Statistics over sufficient statistics: counts, sums, sums of squares and of products. Pure.

curves       the distributions; the only module that knows scipy
proportions  x of n against x of n: pooled z, Fisher, the score intervals of Mee and Koopman, Wilson for one rate
means        sums against sums: Welch, lifts by the delta method; ratios and CUPED are made sums of first
several      more than one comparison: Holm, Benjamini-Hochberg, a gate over all arms
split        people against the configured shares
looks        when one may look: group-sequential boundaries, a confidence sequence, or one look
chances      the exact Beta-binomial reading
planning     how many, how long, how small an effect
evaluating   one question -> one answer
telling      sentences, interval first
"""
