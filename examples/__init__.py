"""Bundled studies, and the local archive that serves them over HTTP in the public archives' URL shapes."""
