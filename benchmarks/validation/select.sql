-- The models are clustered by the benchmark tasks alone, then each target is selected for as if it were new: by every
-- strategy in replay, on the runs that are on record, and once for real. A quarter of the zoo is recalled
-- (of 24 text models 6, of 8 image models 2), by the paper's formula. The threshold of 0.2 was chosen on the benchmark
-- tasks alone: replay.py.
CREATE OR REPLACE TEMP TABLE held_out AS
FROM benchmark_results WHERE dataset IN ('use', 'suite', 'section_en', 'installed_size', 'letter', 'icon_category');
DELETE FROM benchmark_results WHERE dataset IN ('use', 'suite', 'section_en', 'installed_size', 'letter', 'icon_category');
CLUSTER MODELS WITH (recipe = 'validation');
INSERT INTO benchmark_results FROM held_out;

DELETE FROM selections;
DELETE FROM selection_stages;

RECALL 6 MODELS FOR use WITH (recipe = 'validation', batch_size = 64, max_length = 48, prior = 'mean');
SELECT BEST MODEL FOR use USING two_phase WITH (recipe = 'validation', recall = 6, prior = 'mean', executor = 'replay');
SELECT BEST MODEL FOR use USING fine_selection WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR use USING successive_halving WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR use USING brute_force WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR use WITH (recipe = 'validation', recall = 6, prior = 'mean', executor = 'replay', threshold = 0.2);
SELECT BEST MODEL FOR use WITH (recipe = 'validation', recall = 6, prior = 'mean', register = false, reuse = false);

RECALL 6 MODELS FOR suite WITH (recipe = 'validation', batch_size = 64, max_length = 48, prior = 'mean');
SELECT BEST MODEL FOR suite USING two_phase WITH (recipe = 'validation', recall = 6, prior = 'mean', executor = 'replay');
SELECT BEST MODEL FOR suite USING fine_selection WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR suite USING successive_halving WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR suite USING brute_force WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR suite WITH (recipe = 'validation', recall = 6, prior = 'mean', executor = 'replay', threshold = 0.2);
SELECT BEST MODEL FOR suite WITH (recipe = 'validation', recall = 6, prior = 'mean', register = false, reuse = false);

RECALL 6 MODELS FOR section_en WITH (recipe = 'validation', batch_size = 64, max_length = 48, prior = 'mean');
SELECT BEST MODEL FOR section_en USING two_phase WITH (recipe = 'validation', recall = 6, prior = 'mean', executor = 'replay');
SELECT BEST MODEL FOR section_en USING fine_selection WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR section_en USING successive_halving WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR section_en USING brute_force WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR section_en WITH (recipe = 'validation', recall = 6, prior = 'mean', executor = 'replay', threshold = 0.2);
SELECT BEST MODEL FOR section_en WITH (recipe = 'validation', recall = 6, prior = 'mean', register = false, reuse = false);

RECALL 6 MODELS FOR installed_size WITH (recipe = 'validation', batch_size = 64, max_length = 48, prior = 'mean');
SELECT BEST MODEL FOR installed_size USING two_phase WITH (recipe = 'validation', recall = 6, prior = 'mean', executor = 'replay');
SELECT BEST MODEL FOR installed_size USING fine_selection WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR installed_size USING successive_halving WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR installed_size USING brute_force WITH (recipe = 'validation', recall = 6, executor = 'replay');
SELECT BEST MODEL FOR installed_size WITH (recipe = 'validation', recall = 6, prior = 'mean', executor = 'replay', threshold = 0.2);
SELECT BEST MODEL FOR installed_size WITH (recipe = 'validation', recall = 6, prior = 'mean', register = false, reuse = false);

RECALL 2 MODELS FOR letter WITH (recipe = 'validation', batch_size = 64, max_length = 48, prior = 'mean');
SELECT BEST MODEL FOR letter USING two_phase WITH (recipe = 'validation', recall = 2, prior = 'mean', executor = 'replay');
SELECT BEST MODEL FOR letter USING fine_selection WITH (recipe = 'validation', recall = 2, executor = 'replay');
SELECT BEST MODEL FOR letter USING successive_halving WITH (recipe = 'validation', recall = 2, executor = 'replay');
SELECT BEST MODEL FOR letter USING brute_force WITH (recipe = 'validation', recall = 2, executor = 'replay');
SELECT BEST MODEL FOR letter WITH (recipe = 'validation', recall = 2, prior = 'mean', executor = 'replay', threshold = 0.2);
SELECT BEST MODEL FOR letter WITH (recipe = 'validation', recall = 2, prior = 'mean', register = false, reuse = false);

RECALL 2 MODELS FOR icon_category WITH (recipe = 'validation', batch_size = 64, max_length = 48, prior = 'mean');
SELECT BEST MODEL FOR icon_category USING two_phase WITH (recipe = 'validation', recall = 2, prior = 'mean', executor = 'replay');
SELECT BEST MODEL FOR icon_category USING fine_selection WITH (recipe = 'validation', recall = 2, executor = 'replay');
SELECT BEST MODEL FOR icon_category USING successive_halving WITH (recipe = 'validation', recall = 2, executor = 'replay');
SELECT BEST MODEL FOR icon_category USING brute_force WITH (recipe = 'validation', recall = 2, executor = 'replay');
SELECT BEST MODEL FOR icon_category WITH (recipe = 'validation', recall = 2, prior = 'mean', executor = 'replay', threshold = 0.2);
SELECT BEST MODEL FOR icon_category WITH (recipe = 'validation', recall = 2, prior = 'mean', register = false, reuse = false);
