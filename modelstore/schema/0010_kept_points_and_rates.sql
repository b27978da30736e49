-- Which point of a run counts (`keep`), and the learning rates that runs find in their first stage.

-- What was trained so far kept the last point.
UPDATE recipes SET options = json_merge_patch(options, '{"keep": "last"}') WHERE TRY_CAST(options AS JSON) IS NOT NULL;

-- Where this store has trained by the recipe 'default', the name goes on meaning what its records are.
INSERT INTO recipes (name, options)
SELECT 'default', '{"epochs": 5, "keep": "last", "batch_size": 32, "learning_rate": 3e-05, "max_length": 128, '
    '"tuning": "full", "schedule": "linear", "warm_up": 0.06, "weight_decay": 0.01}'
WHERE NOT EXISTS (FROM recipes WHERE name = 'default') AND EXISTS (
    SELECT recipe FROM training_telemetry WHERE recipe = 'default' OR starts_with(recipe, 'default+')
    UNION ALL SELECT recorded_as FROM selections
    WHERE (recorded_as = 'default' OR starts_with(recorded_as, 'default+'))
    AND TRY_CAST(options AS JSON) ->> '$.executor' = 'torch'
);

-- A selection that can still go on does so as it began.
UPDATE selections SET options = json_merge_patch(options, '{"keep": "last"}')
WHERE status <> 'done' AND TRY_CAST(options AS JSON) IS NOT NULL;

-- The learning rates that runs found in their first stage. A table of its own: files of results load as they did.
CREATE TABLE found_learning_rates (
    model VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    recipe VARCHAR,
    seed BIGINT,
    learning_rate DOUBLE,    -- at its peak
    trial_epochs DOUBLE,     -- trained beside the run's own epochs, at rates that were not taken
    created_at TIMESTAMP DEFAULT current_localtimestamp()
);

ALTER TABLE selection_stages ADD COLUMN learning_rate DOUBLE;

-- The macro of 0004, with the final score of a run by its recipe's `keep`: the test score at the best validation, or
-- the last one.
CREATE OR REPLACE MACRO convergence_trends(model, epoch, trends := 4, recipe := 'default') AS TABLE
WITH asked AS (
    -- Where a table has a column of a parameter's name, DuckDB takes one or the other: so they are told apart.
    SELECT model AS of_model, epoch AS at_epoch, trends AS of_trends, recipe AS of_recipe
), kept AS (
    -- What differs from a recipe's options is in the name under which it is recorded: recipe+option=value.
    SELECT coalesce(
        nullif(regexp_extract(of_recipe, '\+keep=(best|last)', 1), ''),
        (SELECT TRY_CAST(options AS JSON) ->> '$.keep' FROM main.recipes WHERE name = of_recipe),
        (SELECT TRY_CAST(options AS JSON) ->> '$.keep' FROM main.recipes WHERE name = split_part(of_recipe, '+', 1)),
        'best'
    ) = 'best' AS keeps_best FROM asked
), points AS (
    -- The mean over the runs of a pair.
    SELECT run.dataset, coalesce(run.epoch, run.stage) AS reached,
           avg(run.validation) AS validation, avg(run.test) FILTER (isfinite(run.test)) AS test
    FROM main.training_curves AS run, asked
    WHERE run.model = of_model AND coalesce(run.recipe, 'default') = of_recipe AND isfinite(run.validation)
    GROUP BY ALL
), curves AS (
    SELECT dataset, list(reached ORDER BY reached) AS epochs, list(validation ORDER BY reached) AS validations,
           list(test ORDER BY reached) AS tests, last(test ORDER BY reached) FILTER (test IS NOT NULL) AS last_test
    FROM points GROUP BY ALL
), results AS (
    SELECT cell.dataset, cell.score FROM main.performance_matrix AS cell, asked
    WHERE cell.model = of_model AND cell.recipe = of_recipe
), runs AS (
    SELECT * REPLACE (
        if(keeps_best, [coalesce(tests[list_position(validations, list_max(validations))],
                                 if(score IS NULL, last_test, NULL))], tests) AS tests
    )
    FROM curves LEFT JOIN results USING (dataset), kept
), found AS (
    SELECT trends_of_curves(
        list(dataset ORDER BY dataset), list(epochs ORDER BY dataset), list(validations ORDER BY dataset),
        list(tests ORDER BY dataset), list(score ORDER BY dataset), any_value(at_epoch), any_value(of_trends)
    ) AS rows
    FROM runs, asked
)
SELECT unnest(rows, recursive := true) FROM found;
