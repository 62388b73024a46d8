-- Who did what. Entries are added and, the oldest first, forgotten; never changed.
CREATE TABLE audit (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    audit_id     TEXT NOT NULL,
    at           INTEGER NOT NULL,          -- seconds since the epoch
    address      TEXT NOT NULL,
    username     TEXT NOT NULL,
    session      TEXT,
    service_data TEXT NOT NULL,             -- JSON object
    event        TEXT NOT NULL,             -- METHOD_CALL, AUTHENTICATION or LOGOUT
    event_data   TEXT NOT NULL,             -- JSON object, without secrets
    success      INTEGER,                   -- NULL: under way, or the server ended before it was done
    error        TEXT
) STRICT;

CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_username ON audit (username, event, success);

CREATE TRIGGER audit_says_what_was BEFORE UPDATE ON audit
WHEN OLD.success IS NOT NULL OR NEW.id <> OLD.id OR NEW.audit_id <> OLD.audit_id OR NEW.at <> OLD.at
    OR NEW.address <> OLD.address OR NEW.username <> OLD.username OR NEW.session IS NOT OLD.session
    OR NEW.service_data <> OLD.service_data OR NEW.event <> OLD.event OR NEW.event_data <> OLD.event_data
BEGIN SELECT RAISE(ABORT, 'entries of the audit trail are never changed'); END;

CREATE TRIGGER audit_forgets_the_oldest BEFORE DELETE ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id < OLD.id)
BEGIN SELECT RAISE(ABORT, 'only the oldest entries of the audit trail are forgotten'); END;
