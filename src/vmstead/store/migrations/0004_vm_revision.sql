-- When each VM was changed last, it or one of its devices, by whomever: a reader that has seen the highest revision
-- asks for those above it, and reads only these VMs again. VMs that are gone keep theirs.

CREATE TABLE vm_revision (
    revision INTEGER PRIMARY KEY, -- grows with every change
    vm       INTEGER NOT NULL UNIQUE
) STRICT;

CREATE TRIGGER vm_added AFTER INSERT ON vm BEGIN
    INSERT OR REPLACE INTO vm_revision (vm) VALUES (new.id);
END;

CREATE TRIGGER vm_changed AFTER UPDATE ON vm BEGIN
    INSERT OR REPLACE INTO vm_revision (vm) VALUES (old.id), (new.id);
END;

CREATE TRIGGER vm_removed AFTER DELETE ON vm BEGIN
    INSERT OR REPLACE INTO vm_revision (vm) VALUES (old.id);
END;

CREATE TRIGGER vm_device_added AFTER INSERT ON vm_device BEGIN
    INSERT OR REPLACE INTO vm_revision (vm) VALUES (new.vm);
END;

CREATE TRIGGER vm_device_changed AFTER UPDATE ON vm_device BEGIN
    INSERT OR REPLACE INTO vm_revision (vm) VALUES (old.vm), (new.vm);
END;

CREATE TRIGGER vm_device_removed AFTER DELETE ON vm_device BEGIN
    INSERT OR REPLACE INTO vm_revision (vm) VALUES (old.vm);
END;
