-- The catalog, the records and the log of selections. Columns of records default or stay NULL, so that
-- anyone's files load by COPY with no more than a model, a dataset and a score.

CREATE TABLE models (
    name VARCHAR PRIMARY KEY,
    uri VARCHAR,
    modality VARCHAR,
    architecture VARCHAR,
    parameters BIGINT,
    labels VARCHAR[],
    card VARCHAR,
    created_at TIMESTAMP DEFAULT current_localtimestamp(),
    has_head BOOLEAN,        -- whether there is a trained classification head, which LEEP needs
    base VARCHAR,            -- the model this one was fine-tuned from by a selection
    fine_tuned_on VARCHAR[]  -- the datasets that selections fine-tuned it, and its base, on: it is no candidate there
);

CREATE TABLE datasets (
    name VARCHAR PRIMARY KEY,
    uri VARCHAR,             -- NULL: the rows are in this file, in dataset_rows
    task VARCHAR,
    metric VARCHAR,
    labels VARCHAR[],
    train_rows BIGINT,
    validation_rows BIGINT,
    test_rows BIGINT,
    created_at TIMESTAMP DEFAULT current_localtimestamp(),
    modality VARCHAR,
    columns MAP(VARCHAR, VARCHAR),  -- which of its columns is the text, text_pair, image, label and split
    seed BIGINT DEFAULT 0           -- of the splits, where they were made
);

CREATE SCHEMA dataset_rows;  -- a table for each dataset made by AS SELECT

CREATE TABLE recipes (
    name VARCHAR PRIMARY KEY,
    options VARCHAR,         -- the training options, JSON
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);

CREATE TABLE benchmark_results (
    model VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    score DOUBLE,
    metric VARCHAR,
    recipe VARCHAR DEFAULT 'default',
    seed BIGINT,
    epochs DOUBLE,
    seconds DOUBLE,
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);

CREATE TABLE benchmark_failures (
    model VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    recipe VARCHAR DEFAULT 'default',
    seed BIGINT,
    reason VARCHAR,
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);

CREATE TABLE training_curves (
    model VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    stage INTEGER,
    epoch DOUBLE,
    validation DOUBLE,
    test DOUBLE,
    train_loss DOUBLE,
    seconds DOUBLE,
    recipe VARCHAR DEFAULT 'default',
    seed BIGINT
);

CREATE TABLE proxy_scores (
    model VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    proxy VARCHAR NOT NULL,
    score DOUBLE,
    rows BIGINT,
    seconds DOUBLE,
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);

CREATE TABLE model_clusters (
    model VARCHAR PRIMARY KEY,
    cluster INTEGER,
    representative VARCHAR   -- the cluster's model of highest mean score
);

CREATE SEQUENCE selection_ids;

CREATE TABLE selections (
    id BIGINT PRIMARY KEY DEFAULT nextval('selection_ids'),
    dataset VARCHAR,
    method VARCHAR,
    options VARCHAR,         -- JSON
    status VARCHAR,          -- running, done, stopped or failed
    model VARCHAR,
    epochs DOUBLE,
    seconds DOUBLE,
    started_at TIMESTAMP DEFAULT current_localtimestamp(),
    finished_at TIMESTAMP,
    reason VARCHAR           -- why it stopped or failed
);

CREATE TABLE selection_stages (
    selection BIGINT,
    stage INTEGER,
    model VARCHAR,
    validation DOUBLE,
    predicted DOUBLE,
    action VARCHAR,          -- kept, dropped, failed or won
    reason VARCHAR
);

-- A cell of the matrix is the mean over the runs of its recipe.
CREATE VIEW performance_matrix AS
SELECT model, dataset, coalesce(recipe, 'default') AS recipe, avg(score) AS score
FROM benchmark_results
WHERE isfinite(score)
GROUP BY ALL;

-- Every model with results or curves of a recipe, registered or not, with what `models` knows of it.
CREATE MACRO recorded_models(of_recipe) AS TABLE
SELECT recorded.model AS name, models.* EXCLUDE (name)
FROM models RIGHT JOIN (
    SELECT model FROM benchmark_results WHERE coalesce(recipe, 'default') = of_recipe
    UNION SELECT model FROM training_curves WHERE coalesce(recipe, 'default') = of_recipe
) AS recorded ON models.name = recorded.model;
