-- What others say of a commit is numbered together with jobs, as on GitLab: a client that has
-- the number of one must not take it for the other.

INSERT INTO sqlite_sequence (name, seq) SELECT 'jobs', 0
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'jobs');
-- In two steps, in which no two have one number.
UPDATE commit_statuses SET id = -id - (SELECT seq FROM sqlite_sequence WHERE name = 'jobs');
UPDATE commit_statuses SET id = -id;
UPDATE sqlite_sequence SET seq = max(seq, (SELECT COALESCE(max(id), 0) FROM commit_statuses))
    WHERE name = 'jobs';
