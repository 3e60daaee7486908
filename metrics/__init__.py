"""Numbers only: timing, rates, estimates, prices, and the log of runs. Knows nothing of providers or the app.

Importing this package stays cheap: the log, the tables and the prices load their libraries in their own modules.
"""

from metrics.progress import estimate_completion_progress
from metrics.token_rate import TokenRateMonitor

__all__ = ["TokenRateMonitor", "estimate_completion_progress"]
