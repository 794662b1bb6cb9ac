"""Who comes by a link and is no person: programs that name themselves, and the one that opens for everybody. Pure.

A program that says it is a browser is not known here; reports leave out what comes too soon, or by every link at once (docs/metrics.md).
"""

import re

from services.sender.links import Kind

# Apple's Mail Privacy Protection fetches pictures of letters that nobody has looked at, and says nothing but this.
APPLE = "Mozilla/5.0"
SCANNERS = re.compile(
    r"barracuda|proofpoint|mimecast|symantec|messagelabs|trendmicro|safelinks|urldefense|bitdefender|headlesschrome|phantomjs|"
    r"^(?!.*applewebkit).*kaspersky|"  # within the name of a browser it is the one that a person reads by
    r"vkshare|^whatsapp/|facebookexternalhit|skypeuripreview|bingpreview|"  # they show a link that is written to somebody
    r"(?:(?<!cu)bot|crawler|spider|scanner)(?![a-z])",  # Cubot makes telephones
    re.IGNORECASE,
)


def is_machine(kind: Kind, agent: str) -> bool:
    """Whether an open or click is no person's. agent: as the caller names itself. A picture that a mail service fetches when the letter is
    looked at (Google's and Yahoo's proxies) is a person's.
    """
    return (kind is Kind.OPEN and agent.strip() == APPLE) or SCANNERS.search(agent) is not None
