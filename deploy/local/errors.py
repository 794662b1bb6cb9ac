"""What can go wrong around a local run and is the reader's to mend; the command line prints it without a traceback."""


class LocalRunError(Exception):
    """The text names what is wrong, where, and what to do about it."""
