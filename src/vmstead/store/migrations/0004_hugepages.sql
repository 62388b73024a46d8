-- Pages that a VM's memory is taken from: 2M, 1G; NULL: ordinary memory.
ALTER TABLE vm ADD COLUMN hugepages TEXT;
