"""`python -m node` is `tandem`."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends it without a traceback

from node.main import main  # noqa: E402

main()
