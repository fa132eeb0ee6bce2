-- Releases, generic packages, and badges.

-- A tag with notes and links.
CREATE TABLE releases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    sha TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    released_at BIGINT NOT NULL,
    UNIQUE (project_id, tag)
);
CREATE TABLE release_links (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    release_id BIGINT NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    file_path TEXT,
    link_type TEXT NOT NULL DEFAULT 'other',
    UNIQUE (release_id, name),
    UNIQUE (release_id, url),
    UNIQUE (release_id, file_path)
);

-- Files that jobs and people keep under a name and a version.
CREATE TABLE packages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'default',
    creator_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    pipeline_id BIGINT REFERENCES pipelines (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    last_downloaded_at BIGINT,
    UNIQUE (project_id, name, version)
);
-- Of several of one name the newest is served.
CREATE TABLE package_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id BIGINT NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    file_name TEXT NOT NULL,
    size BIGINT NOT NULL,
    digest BLOB NOT NULL,
    path TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX package_files_by_package ON package_files (package_id, file_name);
-- Noted before the first byte comes, gone when the file has its row: what is on the disk and
-- in neither table is nobody's.
CREATE TABLE package_uploads (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    begun_at BIGINT NOT NULL
);

-- Images that a project shows, each with a link.
CREATE TABLE badges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT,
    link_url TEXT NOT NULL,
    image_url TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX badges_by_project ON badges (project_id);
