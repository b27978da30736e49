-- How the current clustering was made, for COMPARE, which makes clusterings in the same way without one dataset.

CREATE TABLE clustering_options (
    options VARCHAR NOT NULL  -- JSON; one row, or none where no clustering was made since the table is there
);
