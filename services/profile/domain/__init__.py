"""Who is who, pure: the rules of identity, whose a fact is, and what becomes of the person by it."""

from .linking import Refusal, Verdict, also, link, person_id, told_by
from .registry import Applied, Name, Registry, have_met, homes_of
from .rehearsal import Contradiction, Would, rehearse
from .rules import CONTACT, DEFAULT, KIND, Rules, build, compiled, kind_of, proves
from .splitting import Part, part
from .state import Attributes, Cuts, Profile, bucketed, fold, settle, told_parts, unsay
from .told import apart, changed, erased, forgotten, lost, merged, parted, refused, split

__all__ = [
    "CONTACT",
    "DEFAULT",
    "KIND",
    "Applied",
    "Attributes",
    "Contradiction",
    "Cuts",
    "Name",
    "Part",
    "Profile",
    "Refusal",
    "Registry",
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
    "have_met",
    "homes_of",
    "kind_of",
    "link",
    "lost",
    "merged",
    "part",
    "parted",
    "person_id",
    "proves",
    "refused",
    "rehearse",
    "settle",
    "split",
    "told_by",
    "told_parts",
    "unsay",
]
