-- What it costs to use a model: passes forward on a device, alone on it.

-- Of the figures of a model, device and length the newest counts, and those that were loaded before those that were
-- measured. Figures from elsewhere load as rows with a model and what is known of it.
CREATE TABLE inference_costs (
    model VARCHAR NOT NULL,
    device VARCHAR,          -- cpu, cuda:0, … (all GPUs count as equal); NULL: any
    max_length BIGINT,       -- tokens of each text; NULL: of any length, and of images
    rows_per_second DOUBLE,  -- in a batch
    latency_ms DOUBLE,       -- milliseconds of one row by itself, the median of some
    memory BIGINT,           -- bytes: the weights, and what is in use beside them in a pass of one row
    weights VARCHAR,         -- the contents of the model then; NULL of figures that were loaded
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);
