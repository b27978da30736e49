-- Fourteen public text tasks: 400 training rows, 150 validation rows and 300 test rows of each, and of six of them
-- 1,000 other rows, on which encoders are fine-tuned to be models of their own. Rows are drawn by their content, in
-- proportion to their labels.
CREATE OR REPLACE TEMP MACRO ranked(rows) AS TABLE
SELECT *, row_number() OVER (ORDER BY nth / label_rows, nth, text) AS place
FROM (
    SELECT *, row_number() OVER of_label AS nth, count(*) OVER (PARTITION BY label) AS label_rows
    FROM (SELECT DISTINCT ON (text) * FROM query_table(rows) ORDER BY ALL)
    WINDOW of_label AS (PARTITION BY label ORDER BY md5(text))
);
CREATE OR REPLACE TEMP MACRO drawn(rows) AS TABLE
SELECT COLUMNS('^(text|text_pair|label)$'),
       CASE WHEN place <= 400 THEN 'train' WHEN place <= 550 THEN 'validation' ELSE 'test' END AS split
FROM ranked(rows) WHERE place <= 850;
CREATE OR REPLACE TEMP MACRO others(rows) AS TABLE
SELECT COLUMNS('^(text|text_pair|label)$'),
       CASE WHEN place <= 1850 THEN 'train' WHEN place <= 2000 THEN 'validation' ELSE 'test' END AS split
FROM ranked(rows) WHERE place > 850 AND place <= 2150;

CREATE OR REPLACE TEMP VIEW ag_news_rows AS
SELECT column1 || ' ' || column2 AS text, column0::VARCHAR AS label
FROM read_csv('data/ag_news/test.csv', header = false);
CREATE OR REPLACE TEMP VIEW airline_rows AS
SELECT text, airline_sentiment AS label FROM read_csv('data/airline/Tweets.csv');
CREATE OR REPLACE TEMP VIEW banking77_rows AS
SELECT text, category AS label FROM read_csv('data/banking77_as_cloned/banking_data/train.csv');
CREATE OR REPLACE TEMP VIEW clinc150_rows AS
SELECT pair[1] AS text, pair[2] AS label
FROM (SELECT unnest(train) AS pair FROM read_json('data/clinc150/data_full.json', columns = {train: 'VARCHAR[][]'}));
CREATE OR REPLACE TEMP VIEW cola_rows AS
SELECT column3 AS text, if(column1 = '1', 'acceptable', 'unacceptable') AS label
FROM read_csv('data/cola/in_domain_train.tsv', header = false, delim = '\t', quote = '', all_varchar = true);
CREATE OR REPLACE TEMP VIEW csabstruct_rows AS
SELECT unnest(sentences) AS text, unnest(labels) AS label FROM read_json('data/csabstruct/train.jsonl');
CREATE OR REPLACE TEMP VIEW davidson_hate_rows AS
SELECT tweet AS text, ['hate', 'offensive', 'neither'][class + 1] AS label
FROM read_csv('data/davidson_hate/labeled_data.csv');
CREATE OR REPLACE TEMP MACRO lines(file) AS TABLE
SELECT unnest(range(len(found))) AS line, unnest(found) AS text
FROM (SELECT string_split(rtrim(content, chr(10)), chr(10)) AS found FROM read_text(file));
CREATE OR REPLACE TEMP VIEW emotion_rows AS
SELECT texts.text, labels.text AS label
FROM lines('data/tweeteval_emotion/train_text.txt') AS texts
JOIN lines('data/tweeteval_emotion/train_labels.txt') AS labels USING (line);
CREATE OR REPLACE TEMP VIEW germeval_rows AS
SELECT column0 AS text, column1 AS label
FROM read_csv('data/germeval2018/germeval2018.training.txt', header = false, delim = '\t', quote = '');
CREATE OR REPLACE TEMP VIEW mrpc_rows AS
SELECT column3 AS text, column4 AS text_pair, if(column0 = '1', 'paraphrase', 'other') AS label
FROM read_csv('data/mrpc/msr-para-train.tsv', header = false, skip = 1, delim = '\t', quote = '', all_varchar = true);
CREATE OR REPLACE TEMP VIEW sms_rows AS
SELECT column1 AS text, column0 AS label
FROM read_csv('data/sms_tsv/sms.tsv', header = false, delim = '\t', quote = '');
CREATE OR REPLACE TEMP VIEW sst2_rows AS
SELECT text[3:] AS text, if(text[1] = '1', 'positive', 'negative') AS label
FROM lines('data/sst2/stsa.binary.train');
CREATE OR REPLACE TEMP VIEW sts_rows AS
SELECT column1 AS text, column2 AS text_pair, column0::DOUBLE AS label
FROM read_csv('data/sts2016/*.tsv', header = false, delim = '\t', quote = '', null_padding = true, union_by_name = true)
WHERE column0 IS NOT NULL;
CREATE OR REPLACE TEMP VIEW trec_rows AS
SELECT column0[instr(column0, ' ') + 1:] AS text, split_part(column0, ':', 1) AS label
FROM read_csv('data/trec/TREC.train', header = false, delim = '\t', quote = '', all_varchar = true, encoding = 'latin-1');

CREATE DATASET IF NOT EXISTS ag_news AS FROM drawn('ag_news_rows');
CREATE DATASET IF NOT EXISTS airline AS FROM drawn('airline_rows');
CREATE DATASET IF NOT EXISTS banking77 AS FROM drawn('banking77_rows');
CREATE DATASET IF NOT EXISTS clinc150 AS FROM drawn('clinc150_rows');
CREATE DATASET IF NOT EXISTS cola AS FROM drawn('cola_rows') WITH (metric = 'matthews');
CREATE DATASET IF NOT EXISTS csabstruct AS FROM drawn('csabstruct_rows');
CREATE DATASET IF NOT EXISTS davidson_hate AS FROM drawn('davidson_hate_rows') WITH (metric = 'f1_macro');
CREATE DATASET IF NOT EXISTS emotion AS FROM drawn('emotion_rows');
CREATE DATASET IF NOT EXISTS germeval AS FROM drawn('germeval_rows');
CREATE DATASET IF NOT EXISTS mrpc AS FROM drawn('mrpc_rows');
CREATE DATASET IF NOT EXISTS sms AS FROM drawn('sms_rows');
CREATE DATASET IF NOT EXISTS sst2 AS FROM drawn('sst2_rows');
CREATE DATASET IF NOT EXISTS sts AS FROM drawn('sts_rows');
CREATE DATASET IF NOT EXISTS trec AS FROM drawn('trec_rows');
