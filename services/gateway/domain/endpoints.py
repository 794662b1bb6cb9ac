"""What this installation allows of an endpoint of webhooks. Pure."""

from pydantic import BaseModel

from schemas.webhooks import WebhookEndpoint
from services.gateway.domain.problems import Fault


def not_allowed(document: BaseModel, *, http: bool) -> list[Fault]:
    """http: whether the sender calls plain http. Where it does not, it is said when the document is written, not when the first call fails."""
    if isinstance(document, WebhookEndpoint) and not http and document.url.lower().startswith("http:"):
        return [Fault("url", "webhook_http")]
    return []
