"""`tandem traffic`: many wallets that call one contract of a running chain."""
