-- The paper's published matrices are wide: a row a dataset, a column a model.
-- Run where the folder `paper` is:  modelstore paper.db -f load_paper.sql
INSERT INTO benchmark_results (model, dataset, score, recipe)
SELECT model, dataset, score, 'nlp'
FROM (UNPIVOT read_csv('paper/nlp_matrix.csv') ON COLUMNS(* EXCLUDE dataset) INTO NAME model VALUE score);

INSERT INTO benchmark_results (model, dataset, score, recipe)
SELECT model, dataset, score, 'cv'
FROM (UNPIVOT read_csv('paper/cv_matrix.csv') ON COLUMNS(* EXCLUDE dataset) INTO NAME model VALUE score);

INSERT INTO proxy_scores (model, dataset, proxy, score)
SELECT model, dataset, 'leep', leep
FROM read_csv(['paper/nlp_leep_multirc.csv', 'paper/cv_leep_xray.csv']);

CLUSTER MODELS WITH (recipe = 'cv', threshold = 0.03);  -- 6 clusters, 1 singleton
RECALL 10 MODELS FOR xray WITH (recipe = 'cv', prior = 'mean');
CLUSTER MODELS WITH (recipe = 'nlp');                   -- 16 clusters, 8 singletons
RECALL 10 MODELS FOR multirc WITH (recipe = 'nlp', prior = 'mean');
