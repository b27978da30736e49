-- Loads Parquet files, one or many, whose columns have the tables' names. Columns that a file lacks stay NULL. Results
-- need model, dataset and score; curves need model, dataset, stage and validation.
--
-- Run it in the folder of the files:  modelstore zoo.db -f load_parquet.sql
INSERT INTO benchmark_results BY NAME
FROM read_parquet('results/*.parquet', union_by_name = true);

INSERT INTO training_curves BY NAME
FROM read_parquet('curves/*.parquet', union_by_name = true);
