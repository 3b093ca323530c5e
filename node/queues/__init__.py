"""The queues between processes: ZeroMQ sockets that carry typed msgpack messages (see `chain/links.py`).

One process serves on a ROUTER socket, the others reach it by a DEALER each. What ZeroMQ leaves open is settled here:

- **A peer that dies is noticed at once.** Each connection begins with a probe, which the server answers with a welcome
  that names its life; the asker then sends again what was not answered and follows anew. The server hears of a lost
  connection from the socket's monitor.
- **Nothing grows without bound.** Requests and news are limited in unacknowledged bytes at the sending end.
- **No polling.** Sockets hang on the event loop by their file descriptor, so an idle process sleeps.

Frames between a DEALER and a ROUTER: kind (1 byte) and number (8 bytes, big-endian), then the message's bytes.
"""
