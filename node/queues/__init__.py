"""The queues between processes: streams that carry typed msgpack messages (see `chain/links.py`).

One process serves, the others reach it by a connection each. What a stream leaves open is settled here:

- **A process that dies is noticed at once**, by the end of its connection. Each connection begins with the asker's
  name, which the server answers with a welcome; the asker then sends again what was not answered and follows anew.
- **A host that vanishes ends nothing.** Over TCP the kernel asks for it: a quiet connection is given up after 20
  seconds, one with bytes on their way there after 30 (`frames.keep_alive`).
- **Nothing grows without bound.** Requests and news are limited in unacknowledged bytes at the sending end, frames in
  their size.
- **No polling.** Connections hang on the event loop, so an idle process sleeps. Only who has no connection tries again.

A frame: the length of its payload (4 bytes), kind (1 byte) and number (8 bytes), big-endian, then the message's bytes.
"""
