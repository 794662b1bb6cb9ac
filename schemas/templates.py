"""Templates as documents: what a message looks like, in Liquid, for one channel."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.dialogues import MOST_BUTTONS, Button
from schemas.topics import Channel


class Template(BaseModel):
    """Give `html` or `mjml` (or neither: plain text). Without `text` it is derived from the HTML.

    Variables: `profile` (attributes), `event` (properties of the fact that started the run), `run`, `brand`, `unsubscribe_url`,
    `preferences_url`, `attend_url` (of a letter about an event: he says that he comes), `confirm_url` (of a letter that asks for a confirmation: it goes only to those who have something to confirm),
    `survey_url.<key>` (his own link of a survey of the brand),
    `chat_start` (what a link into a bot starts with that knows him: `https://t.me/<bot>?start=quiz{{ chat_start }}`).
    buttons: under a message of a messenger; they lead to a page, or start a dialogue of the bot there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    channel: Channel = "email"
    brand: str | None = None
    subject: str = Field(default="", max_length=2000)
    html: str | None = Field(default=None, max_length=500_000)
    mjml: str | None = Field(default=None, max_length=500_000)
    text: str | None = Field(default=None, max_length=500_000)
    language: Literal["en", "ru"] = "en"
    blocks: dict[str, str] = {}
    buttons: tuple[Button, ...] = Field(default=(), max_length=MOST_BUTTONS)

    @model_validator(mode="after")
    def _whole(self) -> "Template":
        if self.html is not None and self.mjml is not None:
            raise ValueError("html, mjml: give one of them")
        if self.html is None and self.mjml is None and self.text is None:
            raise ValueError("text: a template needs a text, an html or an mjml part")
        if self.buttons and self.channel not in ("telegram", "vk"):
            raise ValueError("buttons: only messages of telegram and vk have them")
        if self.channel == "email" and not self.subject:
            raise ValueError("subject: a letter needs one")
        return self
