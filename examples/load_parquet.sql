-- Parquet whose columns are named as the tables' are, in one file or many: what a file lacks stays NULL.
-- Only model, dataset and score (of curves: stage and validation) must be there.
--
-- Run where the files are:  modelstore zoo.db -f load_parquet.sql
INSERT INTO benchmark_results BY NAME
FROM read_parquet('results/*.parquet', union_by_name = true);

INSERT INTO training_curves BY NAME
FROM read_parquet('curves/*.parquet', union_by_name = true);
