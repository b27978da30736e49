-- 1. Register the models and the tasks that were built beside this script, so that statements can call them by name.
--    A model is a directory in the Hugging Face layout; a dataset is a file with text or image, label and split.
CREATE MODEL IF NOT EXISTS 'bert-numeric' FROM 'models/bert-numeric';
CREATE MODEL IF NOT EXISTS 'bert-numeric-reseeded' FROM 'models/bert-numeric-reseeded';
CREATE MODEL IF NOT EXISTS 'distilbert-numeric-package' FROM 'models/distilbert-numeric-package';
CREATE MODEL IF NOT EXISTS 'bert-learning' FROM 'models/bert-learning';
CREATE MODEL IF NOT EXISTS 'roberta-learning-kind' FROM 'models/roberta-learning-kind';
CREATE MODEL IF NOT EXISTS 'electra-prose-topic' FROM 'models/electra-prose-topic';
CREATE MODEL IF NOT EXISTS 'gpt2-standard' FROM 'models/gpt2-standard';
CREATE MODEL IF NOT EXISTS 'bert-code' FROM 'models/bert-code';
CREATE MODEL IF NOT EXISTS 'vit-digits' FROM 'models/vit-digits';
CREATE MODEL IF NOT EXISTS 'resnet-digits-turned' FROM 'models/resnet-digits-turned';
CREATE MODEL IF NOT EXISTS 'vit-photos' FROM 'models/vit-photos';
CREATE MODEL IF NOT EXISTS 'deit-noise' FROM 'models/deit-noise';
CREATE DATASET IF NOT EXISTS package FROM 'tasks/package.parquet';
CREATE DATASET IF NOT EXISTS topic FROM 'tasks/topic.parquet';
CREATE DATASET IF NOT EXISTS register FROM 'tasks/register.parquet';
CREATE DATASET IF NOT EXISTS source_length FROM 'tasks/source_length.parquet';
CREATE DATASET IF NOT EXISTS digit FROM 'tasks/digit.parquet';
CREATE DATASET IF NOT EXISTS digit_turn FROM 'tasks/digit_turn.parquet';
CREATE DATASET IF NOT EXISTS photo_cell FROM 'tasks/photo_cell.parquet';
CREATE DATASET IF NOT EXISTS area FROM 'tasks/area.parquet';
CREATE DATASET IF NOT EXISTS digit_on_photo FROM 'tasks/digit_on_photo.parquet';

SELECT name, modality, architecture, parameters, len(labels) AS labels FROM models WHERE base IS NULL;
SELECT name, task, metric, train_rows, validation_rows, test_rows FROM datasets;

-- 2. Offline, once: fine-tune every model on every benchmark task, and record results and training curves. How a model
--    did elsewhere is what foretells how it will do on a new task. Pairs on record are skipped, so only the first run
--    takes long. The targets, area and digit_on_photo, are left out: nothing is known of them when they come in.
BENCHMARK MODELS WHERE base IS NULL
ON package, topic, register, source_length, digit, digit_turn, photo_cell
WITH (recipe = 'demo', epochs = 4, learning_rate = 1.5e-3, batch_size = 16, max_length = 48);

-- 3. Cluster the models by their results: who does well on the same tasks was pretrained alike. Where models are too
--    many to score them all on a new task, one of each cluster stands for the others.
CLUSTER MODELS WITH (recipe = 'demo', threshold = 0.06);
SELECT cluster, any_value(representative) AS representative, list(model ORDER BY model) AS models
FROM model_clusters GROUP BY cluster ORDER BY cluster;

-- 4. A new text task comes in: which model is best for it? First the plan and what it should cost, to decide whether it
--    is worth that; then the answer; then who was dropped when, and why.
EXPLAIN SELECT BEST MODEL FOR area WHERE base IS NULL WITH (recipe = 'demo');
SELECT BEST MODEL FOR area WHERE base IS NULL WITH (recipe = 'demo');
SELECT stage, model, round(validation, 3) AS validation, round(predicted, 3) AS predicted, action, reason
FROM selection_stages WHERE selection = (SELECT max(id) FROM selections) ORDER BY stage, validation DESC;

-- 5. A new image task comes in: the same statements, since only models that take images are candidates.
EXPLAIN SELECT BEST MODEL FOR digit_on_photo WHERE base IS NULL WITH (recipe = 'demo');
SELECT BEST MODEL FOR digit_on_photo WHERE base IS NULL WITH (recipe = 'demo');
SELECT stage, model, round(validation, 3) AS validation, round(predicted, 3) AS predicted, action, reason
FROM selection_stages WHERE selection = (SELECT max(id) FROM selections) ORDER BY stage, validation DESC;

-- 6. Was it right? To know it, every model is trained on both targets to the end, recorded under another recipe so that
--    no selection uses it. What brute force chooses is then read from the curves, beside what it costs.
BENCHMARK MODELS WHERE base IS NULL ON area, digit_on_photo
WITH (recipe = 'everything', epochs = 4, learning_rate = 1.5e-3, batch_size = 16, max_length = 48);
SELECT BEST MODEL FOR area USING brute_force WITH (recipe = 'everything', executor = 'replay');
SELECT BEST MODEL FOR digit_on_photo USING brute_force WITH (recipe = 'everything', executor = 'replay');

SELECT dataset, method, model, round(test.score, 3) AS test_score, round(epochs, 1) AS epochs, round(seconds, 1) AS seconds
FROM (SELECT * FROM selections WHERE status = 'done' QUALIFY row_number() OVER (PARTITION BY dataset, method ORDER BY id DESC) = 1)
JOIN (SELECT model, dataset, score FROM performance_matrix WHERE recipe = 'everything') AS test USING (model, dataset)
ORDER BY dataset, method DESC;
