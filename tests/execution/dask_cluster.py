"""A Dask cluster of worker processes on this machine, until its standard input ends.

Run as `python -m tests.execution.dask_cluster WORKERS PORT`. Prints where the scheduler is (PORT 0: anywhere) and the
workers' process ids.
"""

import json
import sys

from distributed import LocalCluster


def main() -> None:
    workers, port = map(int, sys.argv[1:])
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
        scheduler_port=port,
    ) as cluster:
        pids = {worker.worker_address: worker.pid for worker in cluster.workers.values()}
        print(json.dumps({"address": cluster.scheduler_address, "pids": pids}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
