-- Loads a wide matrix: one row for each dataset, one column for each model. An empty cell is a pair without a
-- result, and cells may be written as 91%, 63.59 ± 0.91 or 1,234.
--
--     dataset,bert,roberta
--     sst2,0.91,0.94
--     cola,0.52,
--
-- Run it in the folder of the file:  modelstore zoo.db -f load_wide_csv.sql
INSERT INTO benchmark_results (model, dataset, score, metric, recipe)
SELECT model, dataset, parse_score(score), 'accuracy', 'published'
FROM (UNPIVOT read_csv('matrix.csv', header = true, all_varchar = true) ON COLUMNS(* EXCLUDE dataset) INTO NAME model VALUE score);

CLUSTER MODELS WITH (recipe = 'published');
