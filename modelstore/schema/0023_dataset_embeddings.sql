-- What encoders make of datasets, by which SIMILAR DATASETS compares them: each computed once, until something changes.

CREATE TABLE dataset_embeddings (
    dataset VARCHAR NOT NULL,
    method VARCHAR NOT NULL,   -- embedding or task2vec
    encoder VARCHAR NOT NULL,  -- where the encoder's weights are
    options VARCHAR NOT NULL,  -- the options that it depends on, as JSON
    source VARCHAR,            -- the state of the dataset and of the weights
    embedding FLOAT[] NOT NULL,
    labels FLOAT[],            -- of the labels' names; NULL where there are none in words
    rows BIGINT NOT NULL,      -- how many it was computed from
    seconds DOUBLE,            -- how long that took
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);
