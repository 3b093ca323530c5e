"""The executable specification's transition tool, block after block: one JSON object a line in, one a line out.

Runs in the specification's own environment (`oracle.py`) and imports nothing of this project.
"""

import argparse
import io
import json
import logging
import sys
import traceback
from typing import Any

from ethereum_spec_tools.evm_tools.t8n import T8N, ForkCache, t8n_arguments


def main() -> None:
    logging.disable()
    parser = argparse.ArgumentParser()
    t8n_arguments(parser.add_subparsers())
    with ForkCache() as forks:
        for line in sys.stdin:
            print(json.dumps(transition(parser, forks, json.loads(line))), flush=True)


def transition(parser: argparse.ArgumentParser, forks: ForkCache, given: dict[str, Any]) -> Any:
    arguments = ["t8n", f"--state.fork={given['fork']}", f"--state.chainid={given['chainId']}"]
    arguments += [f"--input.{name}=stdin" for name in ("alloc", "env", "txs")]
    arguments += [f"--output.{name}=stdout" for name in ("alloc", "result")]
    said = io.StringIO()
    tool = T8N(parser.parse_args(arguments), said, io.StringIO(json.dumps(given)), forks)
    try:
        assert tool.run() == 0, "the specification refuses the block"
    except OverflowError:
        return {"broke": traceback.format_exc()}
    return json.loads(said.getvalue())


if __name__ == "__main__":
    main()
