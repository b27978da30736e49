-- Other rows of six of the tasks, for models to be fine-tuned on before they compete.
CREATE DATASET IF NOT EXISTS ag_news_source AS FROM others('ag_news_rows');
CREATE DATASET IF NOT EXISTS banking77_source AS FROM others('banking77_rows');
CREATE DATASET IF NOT EXISTS cola_source AS FROM others('cola_rows');
CREATE DATASET IF NOT EXISTS emotion_source AS FROM others('emotion_rows');
CREATE DATASET IF NOT EXISTS mrpc_source AS FROM others('mrpc_rows');
CREATE DATASET IF NOT EXISTS sst2_source AS FROM others('sst2_rows');
