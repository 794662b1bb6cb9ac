"""Where the sender sends, and what it calls itself."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.sender.webhook_addresses import networks


class WebhookSecret(BaseModel):
    """What a header of webhooks says to one host, and to no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1, max_length=253)
    value: str = Field(repr=False, pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,3998}[\x21-\x7e])?$")


class SenderSettings(BaseSettings):
    """Environment variables are these names in capitals behind `OTKLIK_`.

    rate_*: "tokens/ms" that all processes together keep to, such as "25/1000"; empty for none. public_url: what links in letters
    begin with. public_port: where /c /o /u /p are answered. smsc_report_secret: the end of the address that SMSC is told to call with
    its delivery reports (/hooks/smsc/<secret>); without one there is no such address. content_days: for so long what a message said is
    kept after it ended; for ever where nothing is said. webhook_allow: networks that webhooks may call beside the public internet, such as
    "10.1.0.0/16, fd00::/8"; webhook_connections: calls of a process at one time; check_links: whether the check of a campaign may call
    the links of its letters. webhook_secrets: JSON, name -> {"host", "value"}, for headers of endpoints. queue_limit: messages in memory
    from which on no mass mail is read, and with four times as many nothing.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_", frozen=True, extra="ignore", hide_input_in_errors=True)

    smtp_host: str = "127.0.0.1"
    smtp_port: int = 11025
    smtp_username: str = ""
    smtp_password: str = Field(default="", repr=False)
    smtp_tls: str = "never"
    smtp_connections: int = 16
    smtp_accept_s: float = 60.0
    telegram_token: str = Field(default="", repr=False)
    telegram_url: str = "https://api.telegram.org"
    vk_token: str = Field(default="", repr=False)
    vk_url: str = "https://api.vk.com"
    smsc_apikey: str = Field(default="", repr=False)
    smsc_url: str = "https://smsc.ru"
    smsc_report_secret: str = Field(default="", repr=False)
    rate_email: str = ""
    rate_telegram: str = "25/1000"
    rate_vk: str = "20/1000"
    rate_sms: str = "20/1000"
    rate_webhook: str = ""
    webhook_allow: str = ""
    check_links: bool = True
    webhook_connections: int = Field(default=16, ge=1, le=32)
    webhook_secrets: Annotated[dict[str, WebhookSecret], NoDecode] = Field(default={}, repr=False)
    from_email: str = "news@shop.example"
    from_name: str = ""
    mail_domain: str = "shop.example"
    public_url: str = "http://127.0.0.1:8080"
    public_port: int = 18082
    queue_limit: int = 5000
    content_days: int | None = Field(default=None, ge=1)

    @field_validator("webhook_secrets", mode="before")
    @classmethod
    def _secrets(cls, value: Any) -> Any:
        """What is wrong is said without what it says."""
        try:
            return json.loads(value or "{}") if isinstance(value, str) else value
        except ValueError:
            raise ValueError('it must be JSON, such as {"crm": {"host": "crm.example.org", "value": "Bearer ..."}}') from None

    @field_validator("webhook_allow")
    @classmethod
    def _networks(cls, value: str) -> str:
        networks(value)
        return value

    def rate(self, channel: str) -> tuple[int, int] | None:
        """(tokens, per ms), or None."""
        text: str = getattr(self, f"rate_{channel}")
        if not text:
            return None
        tokens, _, per = text.partition("/")
        return int(tokens), int(per or 1000)
