"""Where models train at the same time: on this machine, or on a Ray cluster."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import duckdb

from modelstore.data.access import check_cluster
from modelstore.data.fingerprint import files_of_model
from modelstore.data.hub import local_path
from modelstore.execution.local import LocalWorker
from modelstore.execution.placement import WORKER_MEMORY
from modelstore.execution.workers import FixedWorkers, Workers
from modelstore.options import PlacementOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.costs import training_memory
from modelstore.planner.device_plan import DevicePlan
from modelstore.planner.plan import counted
from modelstore.planner.recipes import Recipe
from modelstore.sizes import size

if TYPE_CHECKING:
    from modelstore.execution.ray_cluster.places import Places


class ClusterPlan:
    """The workers on a cluster for a number of training runs; with the interface of `DevicePlan`.

    Parameters
    ----------
    context
        The statement's context, which knows the cluster's address.
    options
        The statement's options.
    names
        The models, some of which train.
    runs
        How many runs there are.
    recipe
        How models are trained; None where they only run.
    in_memory
        How many models are in the workers' memory, in training or at rest.
    """

    memory = None  # of this machine, which trains nothing

    def __init__(
        self,
        context: StatementContext,
        options: PlacementOptions,
        names: list[str],
        runs: int,
        recipe: Recipe | None = None,
        in_memory: int = 1,
    ):
        self._context = context
        self._options = options
        self._names = names
        self._runs = runs
        self._recipe = recipe
        self._in_memory = in_memory

    @contextmanager
    def workers(self, most: int) -> Iterator[Workers]:
        """Those that train, in a block, at most so many. Raises ``TrainingError`` where there is no such cluster."""
        from modelstore.execution.ray_cluster.session import connected
        from modelstore.execution.ray_cluster.workers import cluster_workers

        with connected(self._address) as session:  # one connection, by which its nodes are counted too
            places = replace(self._places, count=min(most, self._places.count))
            with cluster_workers(session, places) as workers:
                yield workers

    @property
    def at_once(self) -> int:
        """How many models train at the same time."""
        return self._places.count

    @property
    def device(self) -> str:
        """The device that a model trains on: 'cpu' or 'cuda'."""
        return self._places.device

    @property
    def threads(self) -> int:
        """How many of the CPU's threads a model trains on."""
        return self._places.threads

    @property
    def where(self) -> str:
        """Where they train, and what is moved there, in words for a plan."""
        workers = counted(self.at_once, "worker")
        return (
            f"; on a Ray cluster of {self._found[1]}: {workers} on {self._places} each, "
            f"at most {size(self._bytes_to_move())} of models moved"
        )

    def _bytes_to_move(self) -> int:
        """What the models' files take that are on this machine; those of the hub that are not are fetched first."""
        total = 0
        for model in self._context.store.catalog.find_models(self._names).values():
            with suppress(OSError, duckdb.Error):
                files = files_of_model(local_path(str(model.uri), "model"))
                total += sum(map(os.path.getsize, files))
        return total

    @property
    def _address(self) -> str:
        if self._context.cluster is not None:
            return self._context.cluster
        check_cluster()  # the statement alone asks for it
        return "auto"

    @property
    def _places(self) -> Places:
        return self._found[0]

    @cached_property
    def _found(self) -> tuple[Places, str]:
        """Where the workers are placed, and what the cluster has in words."""
        from modelstore.execution.ray_cluster.places import Needs, counted_nodes, places_on
        from modelstore.execution.ray_cluster.session import connected

        needs = Needs(self._memory_of_each, self._most_seen_on_a_gpu())
        with connected(self._address) as session:
            nodes = session.nodes()
            if needs.gpu_memory is not None:
                nodes = session.with_gpu_memory(nodes)
        places = places_on(nodes, self._options.device, self._runs, self._options.workers, needs)
        return places, counted_nodes(nodes)

    def _memory_of_each(self, workers: int) -> float | None:
        """The bytes of a worker where so many work: one model trains in it, and others rest."""
        recipe, store = self._recipe, self._context.store
        measured = store.telemetry.peak_memory(recipe.name, "cpu") if recipe is not None else {}
        tuning = recipe.options.tuning if recipe is not None else "frozen"
        in_each = math.ceil(self._in_memory / workers)
        parameters = store.catalog.parameters_of(self._names)
        taken = training_memory(self._names, parameters, in_each, measured, tuning)
        return None if taken is None else taken + WORKER_MEMORY

    def _most_seen_on_a_gpu(self) -> float | None:
        """The most bytes that a model took on a GPU; None where one of them was never seen to train on one."""
        if self._recipe is None or self._options.device == "cpu":
            return None
        seen = self._context.store.telemetry.peak_memory(self._recipe.name, "cuda")
        return max(seen[name] for name in self._names) if set(self._names) <= set(seen) else None


Placement = DevicePlan | ClusterPlan


def placed(
    context: StatementContext,
    recipe: Recipe,
    options: PlacementOptions,
    names: list[str],
    runs: int,
    in_memory: int,
) -> Placement:
    """Where a statement's models train; the parameters are as in `DevicePlan`."""
    if options.executor == "ray":
        return ClusterPlan(context, options, names, runs, recipe, in_memory)
    return DevicePlan(context, recipe, options.device, names, runs, in_memory)


def workers_for_passes(
    context: StatementContext, options: PlacementOptions, names: list[str], passes: int
) -> AbstractContextManager[Workers]:
    """Those that run models without training them, in a block. Here, one pass after another takes all threads."""
    if options.executor == "ray":
        return ClusterPlan(context, options, names, passes).workers(passes)
    return nullcontext(FixedWorkers([LocalWorker(options.device)]))


def where_passes_run(
    context: StatementContext, options: PlacementOptions, names: list[str], passes: int
) -> str:
    """Where they run, in words for a plan."""
    if options.executor != "ray" or not passes:
        return ""
    return ClusterPlan(context, options, names, passes).where
