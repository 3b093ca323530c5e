"""`python -m node` is `tandem`."""

from node.main import main

main()
