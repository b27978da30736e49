"""Where models are trained: in this process, and in worker processes beside it.

`worker` is the interface that the planner and the selection see; `local` and `client` implement it. `messages` is the
protocol that `client` and `server` speak, and `transport` carries it. `pool` keeps workers, `placement` says how many
there may be and on which devices, and `jobs` spreads work over them.
"""
