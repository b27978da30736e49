-- Loads a wide matrix: one row for each dataset, one column for each model. An empty cell is a pair without a result.
--
--     dataset,bert,roberta
--     sst2,0.91,0.94
--     cola,0.52,
--
-- Run it in the folder of the file:  modelstore zoo.db -f load_wide_csv.sql
INSERT INTO benchmark_results (model, dataset, score, metric, recipe)
SELECT model, dataset, score, 'accuracy', 'published'
FROM (UNPIVOT read_csv('matrix.csv') ON COLUMNS(* EXCLUDE dataset) INTO NAME model VALUE score);

CLUSTER MODELS WITH (recipe = 'published');
