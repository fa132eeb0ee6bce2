-- The commit that stands for all of a merge request, where they became one.

ALTER TABLE merge_requests ADD COLUMN squash_commit_sha TEXT;
