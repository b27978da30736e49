-- Views that name no other view, so that `IMPORT DATABASE` makes them in any order. They give what they gave before.

CREATE OR REPLACE VIEW cluster_summaries AS
WITH matrix AS (
    SELECT model, dataset, coalesce(recipe, 'default') AS recipe, avg(score) AS score
    FROM benchmark_results WHERE isfinite(score) GROUP BY ALL
), clusters AS (
    SELECT cluster, any_value(representative) AS representative, count(*) AS size FROM model_clusters GROUP BY cluster
), scores AS (
    SELECT model, recipe, avg(score) AS score FROM matrix GROUP BY ALL
)
SELECT cluster, representative, size, recipe, avg(score) AS mean_score, stddev_pop(score) AS score_stddev
FROM clusters LEFT JOIN (SELECT cluster, recipe, score FROM model_clusters JOIN scores USING (model)) USING (cluster)
GROUP BY ALL;

CREATE OR REPLACE VIEW singleton_comparison AS
WITH matrix AS (
    SELECT model, dataset, coalesce(recipe, 'default') AS recipe, avg(score) AS score
    FROM benchmark_results WHERE isfinite(score) GROUP BY ALL
), sizes AS (
    SELECT model, if(count(*) OVER (PARTITION BY cluster) = 1, 'singleton', 'non-singleton') AS cluster_type
    FROM model_clusters
), cells AS (
    SELECT *, score = max(score) OVER (PARTITION BY recipe, dataset) AS best
    FROM matrix JOIN sizes USING (model)
), models AS (
    SELECT recipe, cluster_type, model, avg(score) AS score FROM cells GROUP BY ALL
), leads AS (
    SELECT recipe, cluster_type, count(DISTINCT dataset) FILTER (best) AS best_on FROM cells GROUP BY ALL
)
SELECT recipe, cluster_type, count(*) AS models, avg(score) AS mean_score, any_value(best_on) AS best_on
FROM models JOIN leads USING (recipe, cluster_type)
GROUP BY ALL;

-- It needs a function of `modelstore.connect`, which is why each connection makes it for itself
-- (session/convergence_trends.sql): a plain DuckDB client could not import it.
DROP MACRO TABLE IF EXISTS convergence_trends;

-- Where selections have saved their winners.
CREATE TABLE selection_winners (
    selection BIGINT NOT NULL,
    rank BIGINT NOT NULL,    -- from 1, the best
    model VARCHAR NOT NULL,
    recipe VARCHAR,
    folder VARCHAR NOT NULL, -- its name in the folder of checkpoints
    registered_as VARCHAR    -- its name in models; NULL where it was not registered
);
