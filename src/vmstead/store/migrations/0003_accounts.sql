-- Groups of accounts, and privileges, which give roles to all members of groups.
CREATE TABLE user_group (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    gid      INTEGER NOT NULL UNIQUE,
    name     TEXT NOT NULL UNIQUE,
    builtin  INTEGER NOT NULL DEFAULT 0,
    settings TEXT NOT NULL DEFAULT '{}'     -- JSON object: what clients keep with it and nothing here uses
) STRICT;

CREATE TABLE membership (
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    user_group INTEGER NOT NULL REFERENCES user_group (id) ON DELETE CASCADE,
    PRIMARY KEY (account, user_group)
) STRICT, WITHOUT ROWID;

CREATE INDEX membership_group ON membership (user_group);

CREATE TABLE privilege (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    builtin_name TEXT UNIQUE,
    name         TEXT NOT NULL UNIQUE,
    roles        TEXT NOT NULL,             -- JSON list
    web_shell    INTEGER NOT NULL
) STRICT;

CREATE TABLE privilege_group (
    privilege  INTEGER NOT NULL REFERENCES privilege (id) ON DELETE CASCADE,
    user_group INTEGER NOT NULL REFERENCES user_group (id),
    PRIMARY KEY (privilege, user_group)
) STRICT, WITHOUT ROWID;

CREATE INDEX privilege_group_group ON privilege_group (user_group);

-- Names and numbers as TrueNAS has them: clients look for these.
INSERT INTO user_group (id, gid, name, builtin) VALUES
    (1, 544, 'builtin_administrators', 1),
    (2, 545, 'builtin_users', 1),
    (3, 951, 'truenas_readonly_administrators', 1);
INSERT INTO privilege (id, builtin_name, name, roles, web_shell) VALUES
    (1, 'LOCAL_ADMINISTRATOR', 'Local Administrator', '["FULL_ADMIN"]', 1),
    (2, 'READONLY_ADMINISTRATOR', 'Read-Only Administrator', '["READONLY_ADMIN"]', 0);
INSERT INTO privilege_group (privilege, user_group) VALUES (1, 1), (2, 3);

ALTER TABLE account ADD COLUMN uid INTEGER;                  -- NULL: made of the id
ALTER TABLE account ADD COLUMN primary_group INTEGER NOT NULL DEFAULT 2;
ALTER TABLE account ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';  -- JSON object, as in user_group
ALTER TABLE account ADD COLUMN password_changed_at REAL;
CREATE UNIQUE INDEX account_uid ON account (uid);

-- The second factor of an account: codes from a shared secret (RFC 6238).
CREATE TABLE second_factor (
    account  INTEGER PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    secret   TEXT NOT NULL,                 -- sealed
    digits   INTEGER NOT NULL,
    interval INTEGER NOT NULL,              -- seconds that a code is shown for
    used     INTEGER NOT NULL DEFAULT -1    -- the interval of the last code that was accepted
) STRICT;

-- Passwords that an administrator made for one login.
CREATE TABLE onetime_password (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    digest     TEXT NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
