"""Reports: what messages were worth, counted in the index.

target    the facts that a target action is, with their amounts
outcomes  what became of messages and of the control groups beside them
people    who stands behind a figure

touches       clicks on messages and visits by links that say whose they are
conversions   what is credited, each once
attribution   five models, leads and repeats
funnel        steps in order; C0 to C3
cohort        how groups of people differ
touchpoints   what lay before first purchases; what places brought
channels      revenue by channel, mechanic, team and period
lifetime      what people bring by age, and who comes back
traffic       visits and ad spend beside all that
"""
