-- Offline results for anyone's SQL: convergence trends and summaries of the current clustering.

-- A model's convergence trends at an epoch (Cui et al., section IV C): the datasets that it has curves on, clustered
-- by its validation score then. A row a trend, by rising validation: `validation` and `test` are the means over its
-- `datasets` of the score at that epoch and of the final score, as SELECT BEST predicts by. A dataset whose curve does
-- not reach the epoch, or that has no final score, is in none; there are no more trends than distinct scores, and no
-- rows where nothing is on record. It needs the functions of `modelstore.connect`.
CREATE MACRO convergence_trends(model, epoch, trends := 4, recipe := 'default') AS TABLE
WITH asked AS (
    -- Where a table has a column of a parameter's name, DuckDB takes one or the other: so they are told apart.
    SELECT model AS of_model, epoch AS at_epoch, trends AS of_trends, recipe AS of_recipe
), points AS (
    -- The mean over the runs of a pair.
    SELECT run.dataset, coalesce(run.epoch, run.stage) AS reached,
           avg(run.validation) AS validation, avg(run.test) FILTER (isfinite(run.test)) AS test
    FROM main.training_curves AS run, asked
    WHERE run.model = of_model AND coalesce(run.recipe, 'default') = of_recipe AND isfinite(run.validation)
    GROUP BY ALL
), curves AS (
    SELECT dataset, list(reached ORDER BY reached) AS epochs,
           list(validation ORDER BY reached) AS validations, list(test ORDER BY reached) AS tests
    FROM points GROUP BY ALL
), results AS (
    SELECT cell.dataset, cell.score FROM main.performance_matrix AS cell, asked
    WHERE cell.model = of_model AND cell.recipe = of_recipe
), found AS (
    SELECT trends_of_curves(
        list(dataset ORDER BY dataset), list(epochs ORDER BY dataset), list(validations ORDER BY dataset),
        list(tests ORDER BY dataset), list(score ORDER BY dataset), any_value(at_epoch), any_value(of_trends)
    ) AS rows
    FROM curves LEFT JOIN results USING (dataset), asked
)
SELECT unnest(rows, recursive := true) FROM found;

-- The current clustering, a row a cluster and recipe with records of its models. A model's score is its mean over the
-- datasets; `mean_score` and `score_stddev` (of the population: 0 for one model) are over the cluster's models that
-- have one, `size` counts all.
CREATE VIEW cluster_summaries AS
WITH clusters AS (
    SELECT cluster, any_value(representative) AS representative, count(*) AS size FROM model_clusters GROUP BY cluster
), scores AS (
    SELECT model, recipe, avg(score) AS score FROM performance_matrix GROUP BY ALL
)
SELECT cluster, representative, size, recipe, avg(score) AS mean_score, stddev_pop(score) AS score_stddev
FROM clusters LEFT JOIN (SELECT cluster, recipe, score FROM model_clusters JOIN scores USING (model)) USING (cluster)
GROUP BY ALL;

-- Models of singleton clusters against the others (Cui et al., Table III), by recipe: how many, the mean of their
-- scores, and on how many datasets one of them is the best of both (a tie counts for either).
CREATE VIEW singleton_comparison AS
WITH sizes AS (
    SELECT model, if(count(*) OVER (PARTITION BY cluster) = 1, 'singleton', 'non-singleton') AS cluster_type
    FROM model_clusters
), cells AS (
    SELECT *, score = max(score) OVER (PARTITION BY recipe, dataset) AS best
    FROM performance_matrix JOIN sizes USING (model)
), models AS (
    SELECT recipe, cluster_type, model, avg(score) AS score FROM cells GROUP BY ALL
), leads AS (
    SELECT recipe, cluster_type, count(DISTINCT dataset) FILTER (best) AS best_on FROM cells GROUP BY ALL
)
SELECT recipe, cluster_type, count(*) AS models, avg(score) AS mean_score, any_value(best_on) AS best_on
FROM models JOIN leads USING (recipe, cluster_type)
GROUP BY ALL;
