-- What a run took of the machine, for the planner. A table of its own: files of results load as they did before.

CREATE TABLE training_telemetry (
    model VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    recipe VARCHAR,
    seed BIGINT,
    device VARCHAR,          -- cpu, cuda:0, …
    rows_per_second DOUBLE,  -- trained on, validation's time included
    peak_memory BIGINT,      -- bytes: on the CPU, by how much the process grew; NULL where the system does not tell
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);
