"""External programs: Salmon, the SRA toolkit, R; bounded in time and output, never left behind."""
