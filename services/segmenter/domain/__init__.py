"""Who stands in which segment, decided fact by fact: no clock, no random, no await.

normal      one shape for equal conditions, and the hash under which equal accumulators are shared
values      typed comparisons of attributes and properties
gathering   what one fact adds to an accumulator: of its properties or of its lines
horizons    what the generated code calls: a truth and how long it holds, in one signed integer
closures    leaves about calendars, attribute dates and several accumulators, as functions
recurring   days that recur each year
consenting  words of consent
source      a condition as the source text of one Python function
plan        everything compiled from one revision of the definitions
series      what one accumulator holds of one person
state       one person: the compact value that is stored
draft       the next state in the making
live        decide, idle, fire, merge, upgrade
"""
