-- The layers that a proxy score was computed from: last, mean or best. NULL: it does not matter (LEEP), or is not known.

ALTER TABLE proxy_scores ADD COLUMN layers VARCHAR;

-- So far there was only the last.
UPDATE proxy_scores SET layers = 'last' WHERE source IS NOT NULL AND lower(proxy) <> 'leep';

-- The macro of 0001: a score that is no finite number (NaN, infinite) counts as none.
CREATE OR REPLACE MACRO recorded_models(of_recipe) AS TABLE
SELECT recorded.model AS name, models.* EXCLUDE (name)
FROM models RIGHT JOIN (
    SELECT model FROM benchmark_results WHERE coalesce(recipe, 'default') = of_recipe AND isfinite(score)
    UNION
    SELECT model FROM training_curves WHERE coalesce(recipe, 'default') = of_recipe AND isfinite(validation)
) AS recorded ON models.name = recorded.model;

-- The macro of 0010, without points whose epoch is no finite number.
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
        AND isfinite(coalesce(run.epoch, run.stage))
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
