"""A request that cannot be carried out: the text says why, and what to do, in a sentence."""


class Refused(Exception):
    """Ends a command with its text and exit code 2."""
