"""What any file of this field is, and what would be stored from it: detection by content, one describer per kind."""
