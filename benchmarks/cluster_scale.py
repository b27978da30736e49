"""What limits a large benchmark on a cluster: the driver's messages, its network, the object store, or the database.

    python benchmarks/cluster_scale.py [--models 1000] [--datasets 50] [--gpus 64] [--losses 0.1]

Workers train pairs stage after stage; a machine of eight workers is lost now and then, and its pairs go on from their
last saved stage. What passes through the driver is served one after another: the state of a run after a stage where
the checkpoints folder is not shared, a message, the insert of a pair. The costs of one of each are measured here
first, but for the network, which is given in GB/s. Nothing is trained: the clock is a simulated one.
"""

import argparse
import bisect
import heapq
import itertools
import math
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import modelstore

STAGES = 3
WORKERS_A_MACHINE = 8
REPLACED_AFTER = 180.0  # seconds until another machine has taken the place of one that is lost
UNSAVED, TIMES_WRITING = 5.0, 10.0  # a pair is saved as `planner/benchmark/checkpoint.py` says


@dataclass
class Server:
    """Something that serves one request after another."""

    free_at: float = 0.0
    busy: float = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """When a request that comes now is done."""
        self.free_at = max(self.free_at, now) + seconds
        self.busy += seconds
        return self.free_at


def insert_seconds(rows: int = 200) -> float:
    """The seconds of storing a pair: its result, its curve and its telemetry, in one transaction."""
    with tempfile.TemporaryDirectory() as folder, modelstore.connect(Path(folder, "zoo.db")) as store:
        began = time.perf_counter()
        for number in range(rows):
            store.execute("BEGIN")
            store.execute(
                "INSERT INTO training_curves (model, dataset, stage, validation, test, seconds) "
                f"SELECT 'm{number}', 'd', s, 0.5, 0.5, 1.0 FROM range(1, {STAGES + 1}) t(s)"
            )
            store.execute(
                f"INSERT INTO benchmark_results (model, dataset, score) VALUES ('m{number}', 'd', 0.5)"
            )
            store.execute("COMMIT")
        return (time.perf_counter() - began) / rows


@dataclass
class Costs:
    """Seconds, of the driver but for `stage`, which is a worker's."""

    stage: float
    message: float
    state: float
    insert: float


class Losses:
    """When each machine is lost, at a rate an hour."""

    def __init__(self, machines: int, rate: float, chance: random.Random):
        self._times: list[list[float]] = [[] for _ in range(machines)]
        self._rate, self._chance = rate / 3600, chance

    def next_after(self, machine: int, now: float) -> float:
        times = self._times[machine]
        while self._rate and (not times or times[-1] <= now):
            times.append((times[-1] if times else 0.0) + self._chance.expovariate(self._rate))
        return times[bisect.bisect_right(times, now)] if self._rate else math.inf


@dataclass
class Run:
    """A pair on a worker: stages that are trained, and saved, the seconds that are not, and what comes next."""

    stage: int = 0
    saved: int = 0
    unsaved: float = 0.0
    trains: bool = True


def simulate(pairs: int, workers: int, losses: float, costs: Costs, seed: int = 0) -> dict[str, float]:
    """The hours of a benchmark, and the shares of them in which workers, and each part of the driver, are busy."""
    lost = Losses(math.ceil(workers / WORKERS_A_MACHINE), losses, random.Random(seed))
    network, database, messages = Server(), Server(), Server()
    order = itertools.count()  # of events at the same time
    events: list[tuple[float, int, int, Run | None]] = [
        (0.0, next(order), one, None) for one in range(workers)
    ]
    left, waiting = pairs, list[Run]()  # those whose machine was lost
    trained = wasted = end = 0.0
    while events:
        now, _, worker, run = heapq.heappop(events)
        if run is None:  # the worker is free
            if not left and not waiting:
                continue
            left -= 0 if waiting else 1
            run = waiting.pop() if waiting else Run()
            now = messages.serve(now, costs.message)
        elif not run.trains:  # a stage has ended
            run.stage, run.unsaved, trained = run.stage + 1, run.unsaved + costs.stage, trained + costs.stage
            now = messages.serve(now, costs.message)
            if run.stage == STAGES:
                end = database.serve(now, costs.insert)
                heapq.heappush(events, (end, next(order), worker, None))
                continue
            if run.unsaved >= max(UNSAVED, TIMES_WRITING * costs.state):
                now, run.saved, run.unsaved = network.serve(now, costs.state), run.stage, 0.0
            run.trains = True
            heapq.heappush(events, (now, next(order), worker, run))
            continue
        run.trains = False
        gone = lost.next_after(worker // WORKERS_A_MACHINE, now)
        if gone < now + costs.stage:
            wasted += gone - now + run.unsaved
            waiting.append(Run(run.saved, run.saved))
            heapq.heappush(events, (gone + REPLACED_AFTER, next(order), worker, None))
        else:
            heapq.heappush(events, (now + costs.stage, next(order), worker, run))
    return {
        "hours": end / 3600,
        "workers busy": trained / (end * workers),
        "trained twice": wasted / trained,
        "messages": messages.busy / end,
        "network": network.busy / end,
        "database": database.busy / end,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--datasets", type=int, default=50)
    parser.add_argument("--gpus", type=int, default=64)
    parser.add_argument("--losses", type=float, default=0.1, help="of each machine, an hour")
    parser.add_argument("--state", type=float, default=1.3, help="GB of a run's state")
    parser.add_argument("--network", type=float, default=1.0, help="GB a second through the driver")
    parser.add_argument("--message", type=float, default=1.2e-3, help="seconds of one round trip")
    arguments = parser.parse_args()
    insert = insert_seconds()
    pairs = arguments.models * arguments.datasets
    print(f"measured: a pair is stored in {1e3 * insert:.1f} ms; {pairs:,} pairs on {arguments.gpus} GPUs\n")
    header = ["stage, s", "states"]
    for seconds, shared in itertools.product((1, 10, 60, 600), (True, False)):
        state = 0.0 if shared else arguments.state / arguments.network
        found = simulate(
            pairs, arguments.gpus, arguments.losses, Costs(seconds, arguments.message, state, insert)
        )
        if header:
            print(f"| {' | '.join([*header, *found])} |\n|{' --: |' * (len(found) + 2)}")
            header = []
        values = [
            f"{found['hours']:.1f}",
            *(f"{value:.1%}" for name, value in found.items() if name != "hours"),
        ]
        print(f"| {seconds} | {'shared' if shared else 'through the driver'} | {' | '.join(values)} |")


if __name__ == "__main__":
    main()
