-- The layers that a proxy score was computed from: last, mean or best. NULL: it does not matter (LEEP), or is not known.

ALTER TABLE proxy_scores ADD COLUMN layers VARCHAR;

-- So far there was only the last.
UPDATE proxy_scores SET layers = 'last' WHERE source IS NOT NULL AND lower(proxy) <> 'leep';
