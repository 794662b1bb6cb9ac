"""What can go wrong with the demo and is the reader's to mend."""

from deploy.local.errors import LocalRunError


class DemoError(LocalRunError):
    """The text names what is wrong and the mend; the command line prints it without a traceback."""
