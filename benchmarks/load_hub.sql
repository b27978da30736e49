-- A public hub's records are long: a row a run, full or LoRA; pairs are missing, and some were run again.
-- Run where the folder `hub` is:  modelstore hub.db -f load_hub.sql
INSERT INTO models (name, architecture, modality, parameters)
SELECT model, architecture, 'text', parameters FROM read_csv('hub/models.csv');

INSERT INTO benchmark_results (model, dataset, score, metric, recipe, seed, epochs, seconds)
SELECT model, dataset, accuracy, 'accuracy', method, seed, epochs, seconds FROM read_csv('hub/results.csv');

INSERT INTO proxy_scores (model, dataset, proxy, score, seconds)
SELECT model, dataset, metric, score, seconds FROM read_csv('hub/scores.csv');

CLUSTER MODELS WITH (recipe = 'full');
RECALL 10 MODELS FOR 'tweet_eval/emotion' USING logme WITH (recipe = 'full');
