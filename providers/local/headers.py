"""Headers between our client and the local endpoint that AWS does not know."""

ANSWERED_BY = "x-answered-by"
"""Which model of this machine answered."""
QUEUED_MS = "x-queued-ms"
"""How long the request stood in the model's line; absent where the model has none."""
CALL_ID = "x-call-id"
"""The caller's own name for a call. In the endpoint's process it can then be asked how many stand before it."""
