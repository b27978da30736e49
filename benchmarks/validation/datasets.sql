-- Every task with 600 training rows at most, 300 validation rows, and test rows as many as there are. Rows are
-- drawn by their content, in proportion to their labels.
CREATE OR REPLACE TEMP MACRO drawn(file) AS TABLE
SELECT * EXCLUDE (nth_of_label, share, nth)
FROM (
    SELECT *, row_number() OVER (PARTITION BY split ORDER BY share, nth_of_label) AS nth
    FROM (
        SELECT *, nth_of_label / count(*) OVER (PARTITION BY split, label) AS share
        FROM (
            SELECT *, row_number() OVER (PARTITION BY split, label ORDER BY md5(COLUMNS('^(text|image)$'))) AS nth_of_label
            FROM read_parquet(file)
        )
    )
)
WHERE nth <= CASE split WHEN 'train' THEN 600 WHEN 'validation' THEN 300 ELSE 1_000_000 END;

CREATE DATASET IF NOT EXISTS devel AS FROM drawn('data/packages/devel.parquet');
CREATE DATASET IF NOT EXISTS implemented_in AS FROM drawn('data/packages/implemented_in.parquet');
CREATE DATASET IF NOT EXISTS installed_size AS FROM drawn('data/packages/installed_size.parquet');
CREATE DATASET IF NOT EXISTS interface AS FROM drawn('data/packages/interface.parquet');
CREATE DATASET IF NOT EXISTS language AS FROM drawn('data/packages/language.parquet');
CREATE DATASET IF NOT EXISTS role AS FROM drawn('data/packages/role.parquet');
CREATE DATASET IF NOT EXISTS same_source AS FROM drawn('data/packages/same_source.parquet');
CREATE DATASET IF NOT EXISTS scope AS FROM drawn('data/packages/scope.parquet');
CREATE DATASET IF NOT EXISTS section_da AS FROM drawn('data/packages/section_da.parquet');
CREATE DATASET IF NOT EXISTS section_en AS FROM drawn('data/packages/section_en.parquet');
CREATE DATASET IF NOT EXISTS section_fr AS FROM drawn('data/packages/section_fr.parquet');
CREATE DATASET IF NOT EXISTS section_it AS FROM drawn('data/packages/section_it.parquet');
CREATE DATASET IF NOT EXISTS suite AS FROM drawn('data/packages/suite.parquet');
CREATE DATASET IF NOT EXISTS title_match AS FROM drawn('data/packages/title_match.parquet');
CREATE DATASET IF NOT EXISTS uitoolkit AS FROM drawn('data/packages/uitoolkit.parquet');
CREATE DATASET IF NOT EXISTS use AS FROM drawn('data/packages/use.parquet');
CREATE DATASET IF NOT EXISTS font_style AS FROM drawn('data/images/font_style.parquet');
CREATE DATASET IF NOT EXISTS icon_category AS FROM drawn('data/images/icon_category.parquet');
CREATE DATASET IF NOT EXISTS letter AS FROM drawn('data/images/letter.parquet');
CREATE DATASET IF NOT EXISTS printed_digit AS FROM drawn('data/images/printed_digit.parquet');
CREATE DATASET IF NOT EXISTS script AS FROM drawn('data/images/script.parquet');
