"""Everything that a person or a program touches: the page, the HTTP API, the command line, and the one runner."""
