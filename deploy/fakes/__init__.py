"""The fake providers of a local run: Telegram, VK and SMSC on one port, with a page that shows what was sent."""
