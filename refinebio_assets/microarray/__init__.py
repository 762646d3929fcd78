"""Arrays: raw files of the scanners and tables of the submitters become expression per gene."""
