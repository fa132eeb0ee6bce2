-- A pipeline's own variables are secrets: they leave its context, and are sealed when the
-- database is opened with a key.

CREATE TABLE pipeline_variables (
    pipeline_id BIGINT NOT NULL PRIMARY KEY REFERENCES pipelines (id) ON DELETE CASCADE,
    variables BLOB NOT NULL
);
INSERT INTO pipeline_variables (pipeline_id, variables)
    SELECT id, CAST(x'00' || json_extract(context, '$.outer') AS BLOB) FROM pipelines
    WHERE json_array_length(context, '$.outer') > 0;
UPDATE pipelines SET context = json_remove(context, '$.outer')
    WHERE json_array_length(context, '$.outer') > 0;
