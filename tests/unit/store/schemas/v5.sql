BEGIN TRANSACTION;
CREATE TABLE account (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT NOT NULL UNIQUE,
    full_name     TEXT NOT NULL DEFAULT '',
    password_hash TEXT,                       -- argon2; NULL: no login with a password
    roles         TEXT NOT NULL,              -- JSON list
    locked        INTEGER NOT NULL DEFAULT 0,
    attributes    TEXT NOT NULL DEFAULT '{}', -- JSON object, the client's own
    created_at    REAL NOT NULL
, uid INTEGER, primary_group INTEGER NOT NULL DEFAULT 2, settings TEXT NOT NULL DEFAULT '{}', password_changed_at REAL) STRICT;
INSERT INTO "account" VALUES(1,'alice','Alice A.','hash','["FULL_ADMIN"]',0,'{}',1.5,NULL,2,'{}',NULL);
INSERT INTO "account" VALUES(2,'bob','',NULL,'["VM_READ"]',1,'{}',2.5,NULL,2,'{}',NULL);
CREATE TABLE api_key (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT NOT NULL UNIQUE,
    account        INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    verifier       TEXT NOT NULL,
    created_at     REAL NOT NULL,
    expires_at     REAL,
    revoked_reason TEXT
) STRICT;
INSERT INTO "api_key" VALUES(1,'laptop',1,'verifier',3.5,NULL,NULL);
CREATE TABLE membership (
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    user_group INTEGER NOT NULL REFERENCES user_group (id) ON DELETE CASCADE,
    PRIMARY KEY (account, user_group)
) STRICT, WITHOUT ROWID;
INSERT INTO "membership" VALUES(1,4);
CREATE TABLE memory (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO "memory" VALUES('boot_id','first');
CREATE TABLE onetime_password (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    digest     TEXT NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE TABLE privilege (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    builtin_name TEXT UNIQUE,
    name         TEXT NOT NULL UNIQUE,
    roles        TEXT NOT NULL,             -- JSON list
    web_shell    INTEGER NOT NULL
) STRICT;
INSERT INTO "privilege" VALUES(1,'LOCAL_ADMINISTRATOR','Local Administrator','["FULL_ADMIN"]',1);
INSERT INTO "privilege" VALUES(2,'READONLY_ADMINISTRATOR','Read-Only Administrator','["READONLY_ADMIN"]',0);
CREATE TABLE privilege_group (
    privilege  INTEGER NOT NULL REFERENCES privilege (id) ON DELETE CASCADE,
    user_group INTEGER NOT NULL REFERENCES user_group (id),
    PRIMARY KEY (privilege, user_group)
) STRICT, WITHOUT ROWID;
INSERT INTO "privilege_group" VALUES(1,1);
INSERT INTO "privilege_group" VALUES(2,3);
CREATE TABLE second_factor (
    account  INTEGER PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    secret   TEXT NOT NULL,                 -- sealed
    digits   INTEGER NOT NULL,
    interval INTEGER NOT NULL,              -- seconds that a code is shown for
    used     INTEGER NOT NULL DEFAULT -1    -- the interval of the last code that was accepted
) STRICT;
INSERT INTO "second_factor" VALUES(1,'sealed',6,30,-1);
CREATE TABLE unfinished (
    kind TEXT NOT NULL,   -- VOLUME, FILE or FIRMWARE
    name TEXT NOT NULL,   -- path as the API writes it, or the uuid of the VM
    PRIMARY KEY (kind, name)
) STRICT;
INSERT INTO "unfinished" VALUES('VOLUME','/dev/zvol/default/half');
CREATE TABLE user_group (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    gid      INTEGER NOT NULL UNIQUE,
    name     TEXT NOT NULL UNIQUE,
    builtin  INTEGER NOT NULL DEFAULT 0,
    settings TEXT NOT NULL DEFAULT '{}'     -- JSON object: what clients keep with it and nothing here uses
) STRICT;
INSERT INTO "user_group" VALUES(1,544,'builtin_administrators',1,'{}');
INSERT INTO "user_group" VALUES(2,545,'builtin_users',1,'{}');
INSERT INTO "user_group" VALUES(3,951,'truenas_readonly_administrators',1,'{}');
INSERT INTO "user_group" VALUES(4,3000,'operators',0,'{}');
CREATE TABLE vm (
    id                            INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid                          TEXT NOT NULL UNIQUE,
    name                          TEXT NOT NULL UNIQUE,
    description                   TEXT NOT NULL,
    vcpus                         INTEGER NOT NULL,
    cores                         INTEGER NOT NULL,
    threads                       INTEGER NOT NULL,
    memory                        INTEGER NOT NULL, -- MiB
    min_memory                    INTEGER,          -- MiB
    autostart                     INTEGER NOT NULL,
    time                          TEXT NOT NULL,
    bootloader                    TEXT NOT NULL,
    bootloader_ovmf               TEXT NOT NULL,
    cpu_mode                      TEXT NOT NULL,
    cpu_model                     TEXT,
    cpuset                        TEXT,
    nodeset                       TEXT,
    enable_cpu_topology_extension INTEGER NOT NULL,
    pin_vcpus                     INTEGER NOT NULL,
    hyperv_enlightenments         INTEGER NOT NULL,
    shutdown_timeout              INTEGER NOT NULL, -- seconds
    hide_from_msr                 INTEGER NOT NULL,
    ensure_display_device         INTEGER NOT NULL,
    suspend_on_snapshot           INTEGER NOT NULL,
    trusted_platform_module       INTEGER NOT NULL,
    enable_secure_boot            INTEGER NOT NULL,
    arch_type                     TEXT,
    machine_type                  TEXT,
    command_line_args             TEXT NOT NULL
, hugepages TEXT) STRICT;
INSERT INTO "vm" VALUES(1,'3f0c2f4e-5b1d-4a55-9b6e-000000000001','web01','old',2,1,1,512,NULL,1,'LOCAL','UEFI','OVMF_CODE.fd','CUSTOM',NULL,NULL,NULL,0,0,0,90,0,1,0,0,0,NULL,NULL,'','2M');
CREATE TABLE vm_device (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    vm         INTEGER NOT NULL REFERENCES vm (id),
    "order"    INTEGER,                    -- NULL: the default of its type
    attributes TEXT NOT NULL               -- JSON object; secrets in it are sealed
) STRICT;
INSERT INTO "vm_device" VALUES(1,1,1001,'{"dtype": "DISK", "path": "/dev/zvol/default/web01", "type": "VIRTIO"}');
CREATE TABLE vm_revision (
    revision INTEGER PRIMARY KEY AUTOINCREMENT, -- grows with every change
    vm       INTEGER NOT NULL UNIQUE
) STRICT;
INSERT INTO "vm_revision" VALUES(1,1);
CREATE INDEX api_key_account ON api_key (account);
CREATE INDEX vm_device_vm ON vm_device (vm);
CREATE INDEX membership_group ON membership (user_group);
CREATE INDEX privilege_group_group ON privilege_group (user_group);
CREATE UNIQUE INDEX account_uid ON account (uid);
CREATE TRIGGER vm_added AFTER INSERT ON vm BEGIN
    DELETE FROM vm_revision WHERE vm = new.id;
    INSERT INTO vm_revision (vm) VALUES (new.id);
END;
CREATE TRIGGER vm_changed AFTER UPDATE ON vm BEGIN
    DELETE FROM vm_revision WHERE vm IN (old.id, new.id);
    INSERT INTO vm_revision (vm) SELECT old.id UNION SELECT new.id;
END;
CREATE TRIGGER vm_removed AFTER DELETE ON vm BEGIN
    DELETE FROM vm_revision WHERE vm = old.id;
    INSERT INTO vm_revision (vm) VALUES (old.id);
END;
CREATE TRIGGER vm_device_added AFTER INSERT ON vm_device BEGIN
    DELETE FROM vm_revision WHERE vm = new.vm;
    INSERT INTO vm_revision (vm) VALUES (new.vm);
END;
CREATE TRIGGER vm_device_changed AFTER UPDATE ON vm_device BEGIN
    DELETE FROM vm_revision WHERE vm IN (old.vm, new.vm);
    INSERT INTO vm_revision (vm) SELECT old.vm UNION SELECT new.vm;
END;
CREATE TRIGGER vm_device_removed AFTER DELETE ON vm_device BEGIN
    DELETE FROM vm_revision WHERE vm = old.vm;
    INSERT INTO vm_revision (vm) VALUES (old.vm);
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('user_group',4);
INSERT INTO "sqlite_sequence" VALUES('privilege',2);
INSERT INTO "sqlite_sequence" VALUES('vm',1);
INSERT INTO "sqlite_sequence" VALUES('vm_device',1);
INSERT INTO "sqlite_sequence" VALUES('account',2);
INSERT INTO "sqlite_sequence" VALUES('api_key',1);
INSERT INTO "sqlite_sequence" VALUES('vm_revision',1);
COMMIT;
PRAGMA user_version = 5;
