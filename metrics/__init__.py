"""Numbers only: timing, rates, estimates, prices, and the log of runs. Knows nothing of providers or the app."""
