-- What datasets and models were when they were registered, and what each run trained on: data and weights may change
-- under the same name and path.

CREATE TABLE fingerprints (
    kind VARCHAR NOT NULL,      -- dataset or model
    name VARCHAR NOT NULL,
    state VARCHAR,              -- a digest of the paths, sizes and times of change of its files
    contents VARCHAR,           -- a digest of a dataset's rows, or of a model's files
    images VARCHAR,             -- a digest of a dataset's images, once they were read
    PRIMARY KEY (kind, name)
);

CREATE TABLE run_origins (
    model VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    recipe VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    contents VARCHAR,           -- the dataset's then
    images VARCHAR,
    weights VARCHAR,            -- the contents of the model then
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);
