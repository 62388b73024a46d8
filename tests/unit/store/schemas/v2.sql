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
) STRICT;
INSERT INTO "account" VALUES(1,'alice','Alice A.','hash','["FULL_ADMIN"]',0,'{}',1.5);
INSERT INTO "account" VALUES(2,'bob','',NULL,'["VM_READ"]',1,'{}',2.5);
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
CREATE TABLE memory (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO "memory" VALUES('boot_id','first');
CREATE TABLE unfinished (
    kind TEXT NOT NULL,   -- VOLUME, FILE or FIRMWARE
    name TEXT NOT NULL,   -- path as the API writes it, or the uuid of the VM
    PRIMARY KEY (kind, name)
) STRICT;
INSERT INTO "unfinished" VALUES('VOLUME','/dev/zvol/default/half');
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
) STRICT;
INSERT INTO "vm" VALUES(1,'3f0c2f4e-5b1d-4a55-9b6e-000000000001','web01','old',2,1,1,512,NULL,1,'LOCAL','UEFI','OVMF_CODE.fd','CUSTOM',NULL,NULL,NULL,0,0,0,90,0,1,0,0,0,NULL,NULL,'');
CREATE TABLE vm_device (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    vm         INTEGER NOT NULL REFERENCES vm (id),
    "order"    INTEGER,                    -- NULL: the default of its type
    attributes TEXT NOT NULL               -- JSON object; secrets in it are sealed
) STRICT;
INSERT INTO "vm_device" VALUES(1,1,1001,'{"dtype": "DISK", "path": "/dev/zvol/default/web01", "type": "VIRTIO"}');
CREATE INDEX api_key_account ON api_key (account);
CREATE INDEX vm_device_vm ON vm_device (vm);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('vm',1);
INSERT INTO "sqlite_sequence" VALUES('vm_device',1);
INSERT INTO "sqlite_sequence" VALUES('account',2);
INSERT INTO "sqlite_sequence" VALUES('api_key',1);
COMMIT;
PRAGMA user_version = 2;
