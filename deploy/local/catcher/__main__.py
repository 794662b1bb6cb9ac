"""`python -m deploy.local.catcher`: SMTP and the page, in one process, until a signal."""

import contextlib

import uvicorn
import uvloop

from deploy.local.catcher.page import application
from deploy.local.catcher.server import listen
from deploy.local.catcher.store import MailStore
from deploy.local.settings import LocalSettings


async def serve(settings: LocalSettings) -> None:
    with contextlib.closing(MailStore(settings.home / "mail")) as store:
        smtp = await listen(store, settings.smtp_port)
        page = uvicorn.Config(application(store), "127.0.0.1", settings.mail_port, access_log=False, log_level="warning")
        try:
            await uvicorn.Server(page).serve()
        finally:
            smtp.close()


def main() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(LocalSettings.from_environment()))


if __name__ == "__main__":
    main()
