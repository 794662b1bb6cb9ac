"""The HTTP edge of the gateway: thin routes over the handlers, and the ways through to other services."""
