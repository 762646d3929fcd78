"""What people download: metadata tables, README files and the archives that hold them."""
