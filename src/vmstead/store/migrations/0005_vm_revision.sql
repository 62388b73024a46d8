-- When each VM was changed last, it or one of its devices, by whomever: a reader that has seen the highest revision
-- asks for those above it, and reads only these VMs again. VMs that are gone keep theirs.
-- The triggers remove and add rather than replace: INSERT OR REPLACE in a trigger means something else when the
-- statement that fires it is an INSERT OR IGNORE.

CREATE TABLE vm_revision (
    revision INTEGER PRIMARY KEY AUTOINCREMENT, -- grows with every change
    vm       INTEGER NOT NULL UNIQUE
) STRICT;

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
