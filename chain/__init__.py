"""The shared vocabulary: what every room means by a transaction, a block, an account, a proposal and a message.

Nothing here knows a socket, a disk or a clock, and nothing here imports another room.
"""
