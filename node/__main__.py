"""`python -m node` is `tandem`."""

import signal
from importlib import import_module

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends it without a traceback

import_module("node.main").main()
