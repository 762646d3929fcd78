"""Original files of the archives and computed files."""
