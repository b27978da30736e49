-- What a selection is expected to find, by replay on recorded datasets: made when EXPLAIN first asks for it.

CREATE TABLE replay_expectations (
    selection VARCHAR NOT NULL,  -- a digest of its strategy, options and target's modality
    records VARCHAR NOT NULL,    -- a fingerprint of the records that it was made from
    datasets BIGINT NOT NULL,    -- how many were replayed
    models DOUBLE NOT NULL,      -- how many raced on one of them, on average
    epochs DOUBLE NOT NULL,      -- the mean
    regret DOUBLE NOT NULL,      -- the mean: the best test score less the chosen model's
    error DOUBLE NOT NULL,       -- its standard error
    compared BIGINT NOT NULL,    -- datasets whose score is an accuracy over a known number of test rows
    within_noise BIGINT NOT NULL,-- how many of those end within noise of the best
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);
