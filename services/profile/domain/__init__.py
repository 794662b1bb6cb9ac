"""Who is who, pure: the rules of identity, whose a fact is, and what becomes of the person by it."""

from .linking import Refusal, Verdict, also, link, person_id, told_by
from .rehearsal import Contradiction, Would, rehearse
from .rules import CONTACT, DEFAULT, KIND, STRONG, Rules, build, compiled, kind_of
from .state import Attributes, Profile, bucketed, fold, settle
from .told import apart, changed, erased, forgotten, lost, merged, refused

__all__ = [
    "CONTACT",
    "DEFAULT",
    "KIND",
    "STRONG",
    "Attributes",
    "Contradiction",
    "Profile",
    "Refusal",
    "Rules",
    "Verdict",
    "Would",
    "also",
    "apart",
    "bucketed",
    "build",
    "changed",
    "compiled",
    "erased",
    "fold",
    "forgotten",
    "kind_of",
    "link",
    "lost",
    "merged",
    "person_id",
    "refused",
    "rehearse",
    "settle",
    "told_by",
]
