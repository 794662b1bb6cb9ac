"""Why somebody got something and why not: the verdicts about him as sentences, oldest first.

Every rule that the code can name has its text in `rules.py`; a test finds those that have none.
"""

from services.gateway.domain.why.telling import Numbers, Person, answer, named_zone, own_zone, tell

__all__ = ["Numbers", "Person", "answer", "named_zone", "own_zone", "tell"]
