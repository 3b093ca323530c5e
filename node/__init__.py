"""Puts the rooms together: command line, settings, queues and the supervisor. The only room that knows all others."""
