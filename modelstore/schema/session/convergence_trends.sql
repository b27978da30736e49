-- A model's convergence trends at an epoch (Cui et al., section IV C): the datasets that it has curves on, clustered
-- by its validation score then. A row a trend, by rising validation: `validation` and `test` are the means over its
-- `datasets` of the score at that epoch and of the final score, as SELECT BEST predicts by: the test score at the best
-- validation, or the last one, as the recipe's `keep` says. A dataset whose curve does not reach the epoch, or that has
-- no final score, is in none; there are no more trends than distinct scores, and no rows where nothing is on record.
CREATE OR REPLACE TEMP MACRO convergence_trends (model, epoch, trends := 4, recipe := 'default') AS TABLE
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
    SELECT run.dataset, avg(run.score) AS score FROM main.benchmark_results AS run, asked
    WHERE run.model = of_model AND coalesce(run.recipe, 'default') = of_recipe AND isfinite(run.score)
    GROUP BY ALL
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
