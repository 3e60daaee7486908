"""Everything that a person or a program touches: the page, the HTTP API, the command line, and the one runner."""

__version__ = "0.1.0"
