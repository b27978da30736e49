"""Workers on the GPUs of a cluster: how soon they are ready, what they leave free, and when one that waits begins.

    python tests/in_own_network.py benchmarks/cluster_places.py

The GPUs are not there: nodes of this machine say that they have some. Eight workers take a quarter of a GPU each on a
node of two. Then a third worker with a GPU of its own waits, until a node with another GPU joins, as an autoscaler
would start one that sees an actor waiting.
"""

import time

from modelstore.execution.ray_cluster.places import Places
from modelstore.execution.ray_cluster.session import connected
from modelstore.execution.ray_cluster.workers import ClusterWorkers, cluster_workers

WAITS = 10.0  # seconds until the node joins
MOST = 120.0


def until_ready(workers: ClusterWorkers, count: int) -> float:
    """The seconds until so many workers are ready."""
    began = time.perf_counter()
    while sum(worker.ready for worker in workers.present()) < count:
        if time.perf_counter() - began > MOST:
            raise SystemExit(f"{count} workers are not ready within {MOST:g} s")
        time.sleep(0.05)
    return time.perf_counter() - began


def main() -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 8, "num_gpus": 2, "include_dashboard": False}
    )
    try:
        with connected(cluster.address) as session:
            with cluster_workers(session, Places(8, "cuda", 1, on_a_gpu=4)) as workers:
                seconds = until_ready(workers, 8)
                free = session.ray.available_resources().get("GPU", 0.0)
                print(f"eight workers on two GPUs: ready after {seconds:.1f} s, {free:g} GPUs free")
            while session.ray.available_resources().get("GPU", 0.0) < 2:
                time.sleep(0.1)  # the workers before end
            with cluster_workers(session, Places(3, "cuda", 1)) as workers:
                until_ready(workers, 2)
                time.sleep(WAITS)
                ready = sum(worker.ready for worker in workers.present())
                cluster.add_node(num_cpus=1, num_gpus=1)
                seconds = until_ready(workers, 3)
                print(
                    f"{ready} of three workers with a GPU each ready; all, {seconds:.1f} s after a node has joined"
                )
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
