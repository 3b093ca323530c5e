"""Orders transactions: chained HotStuff as a pure state machine, the mempool, and the validator process around them.

The core (`core.py`) takes events and gives commands; it has no sockets, clock, disk, threads or randomness. The
mempool is as pure. `replica.py` carries commands out, `process.py` gives them a clock, peers and a serving socket.
"""
