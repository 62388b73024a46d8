"""What is kept: the database, and the only SQL there is."""
