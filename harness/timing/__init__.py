"""The only reader of time (`clock`) and the only poller (`wait`)."""
