"""The roots of secure tries by the executable specification: a JSON object of keys and values a line in, a root out.

Runs in the specification's own environment (`oracle.py`) and imports nothing of this project.
"""

import json
import sys

from ethereum.forks.prague.trie import Trie, root, trie_set
from ethereum_types.bytes import Bytes


def main() -> None:
    for line in sys.stdin:
        trie: Trie[Bytes, Bytes] = Trie(secured=True, default=b"")
        for key, value in json.loads(line).items():
            trie_set(trie, bytes.fromhex(key), bytes.fromhex(value))
        print(root(trie).hex(), flush=True)


if __name__ == "__main__":
    main()
