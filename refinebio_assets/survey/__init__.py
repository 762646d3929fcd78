"""The survey: payloads of the public archives become records, with a state and a reason for every sample."""
