"""web3.py's own tests of a provider, against a chain of ours, over each of its transports."""
