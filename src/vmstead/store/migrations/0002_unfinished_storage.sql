-- What is being made for a device or a VM that is not stored yet, so that a killed server cleans up when it is back.
CREATE TABLE unfinished (
    kind TEXT NOT NULL,   -- VOLUME, FILE or FIRMWARE
    name TEXT NOT NULL,   -- path as the API writes it, or the uuid of the VM
    PRIMARY KEY (kind, name)
) STRICT;

-- What the server remembers of itself.
CREATE TABLE memory (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
