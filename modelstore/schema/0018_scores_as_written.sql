-- Scores as leaderboards and papers write them.

-- The number that a text says: '63.59 ± 0.91', '93.2%' (0.932), '1,234', '**0.93**'; NULL where it says that there is
-- none ('', '-', 'n/a'). A spread, HTML, marks of footnotes and what follows '@@' are left out. Of several numbers, as
-- in '91.0 / 88.1', `part` says which is meant; any other text is an error.
CREATE MACRO parse_score(written, part := NULL) AS (
    WITH given AS (
        SELECT written::VARCHAR AS original, part AS wanted
    ), cleaned AS (
        SELECT *, trim(regexp_replace(regexp_replace(
            translate(split_part(original, '@@', 1), '−–—' || chr(160) || chr(8239) || chr(10), '---   '),
            '<[^>]*>', '', 'g'), '\+ ?/ ?-', '±', 'g')) AS plain
        FROM given
    ), parted AS (
        SELECT *, plain IS NULL OR regexp_full_match(plain, '(|[-?]+|n\.? ?/? ?a\.?|nan|null|none|tbd)', 'i') AS is_none,
            string_split_regex(plain, '\s*/\s*') AS parts
        FROM cleaned
    ), chosen AS (
        SELECT *, trim(regexp_replace(
            -- A spread: ± 0.91, (0.91), [92.0, 94.1]; then marks of footnotes and of print.
            regexp_replace(parts[coalesce(wanted, 1)], '\s*(±|\(|\[) *[\d.][\d.,;\s%-]*[)\]]?', '', 'g'),
            '[*_`$†‡§¶^↑↓%]', '', 'g')) AS one, contains(parts[coalesce(wanted, 1)], '%') AS is_per_cent
        FROM parted
    )
    SELECT CASE
        WHEN is_none THEN NULL
        WHEN len(parts) > 1 AND wanted IS NULL THEN error(format(
            '"{}" holds {} scores: say which one is meant, as in parse_score(score, part := 1)', original, len(parts)))
        WHEN one IS NULL OR NOT regexp_full_match(
            one, '[-+]?([1-9]\d{0,2}(,\d{3})+(\.\d+)?|\d+\.?\d*|\.\d+)(e[-+]?\d+)?', 'i') THEN error(format(
            '"{}" is no score: a score is a number such as 0.93, 93.2%, 63.59 ± 0.91 or 1,234.5, and "-" or "n/a" '
            'where there is none', original))
        ELSE replace(one, ',', '')::DOUBLE / if(is_per_cent, 100, 1)
    END
    FROM chosen
);
