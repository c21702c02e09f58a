"""Runs that nobody watches: started, followed, scheduled, checked."""
