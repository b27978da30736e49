-- The encoders that real.py has fine-tuned on the sources.
CREATE MODELS IF NOT EXISTS FROM (SELECT parse_dirpath(file) AS uri FROM glob('derived/*/config.json'));
